import { expect, it, vi } from 'vitest';
import { SlowLog } from '../../src/server/metering/slow-log.ts';
import { ASKER } from '../../src/storage/lookup-counts.ts';
import { collectingLogger } from '../support/collecting-logger.ts';

it('slow requests are logged, the others not, and no more than ten in a second', () => {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(5_000);
  const logger = collectingLogger();
  const slow = new SlowLog(10, logger);
  const sample = { asker: ASKER.redis, bytes: 7 };
  slow.note(sample, 0.0099, { client: '::1' });
  expect(logger.lines).toEqual([]);
  for (let i = 0; i < 20; i++) slow.note(sample, 0.01, { client: '::1' });
  expect(logger.lines).toHaveLength(10);
  expect(logger.lines[0]).toBe('warn 7 bytes of requests (redis) from ::1 took 10.000 ms');
  clock.mockReturnValue(6_000);
  slow.note(sample, 0.01, { client: '::1' });
  expect(logger.lines).toHaveLength(11);
  clock.mockRestore();
});
