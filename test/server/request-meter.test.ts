import { describe, expect, it } from 'vitest';
import { createMeterMemory, meterOf, readMeters } from '../../src/server/metering/metering.ts';
import {
  createDurationMemory,
  readDurations,
  SetDurations,
} from '../../src/server/metering/set-durations.ts';
import { ASKER, Asker, createLookupMemory, LookupCounts } from '../../src/storage/lookup-counts.ts';

/** Reads as a connection does, without a client. */
function read(meter: ReturnType<typeof meterOf>['requests'], times: number): number {
  let measured = 0;
  for (let i = 0; i < times; i++) {
    if (--meter.left > 0) continue;
    meter.end(meter.begin(100), { client: '127.0.0.1' });
    measured++;
  }
  return measured;
}

describe('a request meter', () => {
  it('measures about 500 reads a second, and counts all of them', () => {
    const memory = createMeterMemory(2);
    const asker = new Asker();
    asker.at = ASKER.redis;
    const { requests, tick } = meterOf(memory, 1, asker);
    let reads = 0;
    for (const perSecond of [100, 100_000, 100_000]) {
      read(requests, perSecond);
      reads += perSecond;
      tick();
    }
    const measured = read(requests, 100_000);
    reads += 100_000;
    // One in 200, at random.
    expect(measured).toBeGreaterThan(350);
    expect(measured).toBeLessThan(700);
    const [{ protocol, duration, size }, ...others] = readMeters(memory).requests;
    expect([protocol, others]).toEqual(['redis', []]);
    expect(reads - duration.count).toBeLessThan(400);
    expect(size.sum).toBe(size.count * 100);
    expect(size.buckets.map(([, count]) => count / size.count)).toEqual([
      ...[0, 0, 1, 1, 1, 1, 1, 1, 1],
    ]);
  });

  it('goes back to measuring each read when there are few again', () => {
    const { requests, tick } = meterOf(createMeterMemory(1), 0, new Asker());
    read(requests, 100_000);
    tick();
    // What was left of a long gap counts in the second that it ends in: the rate is right in the next.
    for (let seconds = 0; seconds < 3; seconds++) {
      read(requests, 1000);
      tick();
    }
    expect(read(requests, 100)).toBeGreaterThan(30);
  });

  it('notes how long a read took with the data set that was asked last, if one was', () => {
    const asker = new Asker();
    const { requests } = meterOf(createMeterMemory(1), 0, asker);
    const [one, two] = [1, 2].map(() => {
      const memory = createDurationMemory(2);
      const durations = new SetDurations(memory, 1);
      const counts = new LookupCounts(createLookupMemory(2), 1, asker, durations);
      return { counts, noted: () => readDurations(memory).count };
    });
    const ask = (...sets: readonly (typeof one)[]): void => {
      requests.left--;
      const sample = requests.begin(100);
      for (const { counts } of sets) counts.count(true);
      requests.identify(sample);
      requests.end(sample, { client: '127.0.0.1' });
    };
    ask(one);
    ask(two, one);
    ask(one, two);
    ask();
    expect([one.noted(), two.noted()]).toEqual([2, 1]);
  });

  it('counts a refused write of a protocol that nobody knows as another one', () => {
    const memory = createMeterMemory(1);
    const { refusals } = meterOf(memory, 0, new Asker());
    for (const command of ['set', 'set', 'PUT']) refusals.count(command);
    expect(readMeters(memory).refusedWrites).toEqual([
      { protocol: 'other', command: 'set', count: 2 },
      { protocol: 'other', command: 'other', count: 1 },
    ]);
  });
});
