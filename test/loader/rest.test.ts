import os from 'node:os';
import { describe, expect, it } from 'vitest';
import { needsRests } from '../../src/loader/worker/rest.ts';

describe('needsRests', () => {
  const processors = os.availableParallelism();

  it('is so when the serving threads leave less than three processors', () => {
    expect(needsRests(processors - 2)).toBe(true);
    expect(needsRests(processors + 10)).toBe(true);
  });

  it('is not so when they leave three', () => {
    expect(needsRests(processors - 3)).toBe(false);
  });
});
