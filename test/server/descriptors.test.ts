import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { descriptorsMax, descriptorWarning } from '../../src/server/descriptors.ts';
import { temporaryFolder } from '../support/folder.ts';

describe('a limit on connections', () => {
  test('that the descriptors allow is nothing to warn of', () => {
    expect(descriptorWarning(10_000, 1, 10_080)).toBeUndefined();
    expect(descriptorWarning(10_000, 1, Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  test('beyond the descriptors is reported, with what to do', () => {
    expect(descriptorWarning(10_000, 1, 10_079)).toMatch(
      /^-conn-limit 10000 needs 10080 descriptors, and this process may open 10079: .*"ulimit -n 10080".*LimitNOFILE=10080.*-conn-limit 9999;/,
    );
    // Each thread takes some itself.
    expect(descriptorWarning(10_000, 5, 10_143)).toMatch(/needs 10144 descriptors/);
    expect(descriptorWarning(10, 1, 20)).toMatch(/or use -conn-limit 1;/);
  });
});

describe('the descriptors that a process may open', () => {
  const limits = (soft: string): string => {
    const file = join(temporaryFolder(), 'limits');
    writeFileSync(
      file,
      `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             1                    2                    processes \nMax open files            ${soft.padEnd(20)} 4096                 files     \n`,
    );
    return file;
  };

  test('are the soft limit', () => {
    expect(descriptorsMax(limits('1024'))).toBe(1024);
    expect(descriptorsMax(limits('unlimited'))).toBe(Number.POSITIVE_INFINITY);
  });

  test('are not known where the system does not say', () => {
    expect(descriptorsMax(join(temporaryFolder(), 'none'))).toBeUndefined();
    expect(descriptorsMax(limits('many'))).toBeUndefined();
  });
});
