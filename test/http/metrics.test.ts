import { describe, expect, it, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { RawClient } from '../support/raw-client.ts';
import { HttpSubject } from './http-subject.ts';

async function serving(): Promise<HttpSubject> {
  const subject = await HttpSubject.start();
  drop(subject.file, '{"k":"1"}');
  await expect.poll(() => subject.goromdb.status().dataSets[0].serving?.generation).toBe(1);
  return subject;
}

async function samples(subject: HttpSubject, name: string): Promise<readonly string[]> {
  const { text } = await subject.ask('/metrics');
  return text.split('\n').filter((line) => line.startsWith(`${name}{`));
}

/** A binary get of `k`, and the length of the reply to a miss of it. */
const BINARY_GET = Buffer.from('80000001000000000000000100000000000000000000000078', 'hex');

describe('what clients ask', () => {
  it('is counted by data set, protocol and result, a write by protocol and command', async () => {
    const subject = await serving();
    const { address } = subject.goromdb;
    const client = await RawClient.connect(address);
    await client.ask('get k x\r\n', 'END\r\n');
    await client.ask('get k\r\nget k\r\nget k\r\n', 'END\r\n');
    await client.ask('mg k v\r\nmg x v\r\nmn\r\n', 'MN\r\n');
    await client.ask('set k 0 0 1\r\n1\r\n', 'NOT_STORED\r\n');
    await client.ask('ms k 1\r\n1\r\n', 'NS\r\n');
    const redis = await RawClient.connect(address);
    await redis.ask('*3\r\n$4\r\nMGET\r\n$1\r\nk\r\n$1\r\nx\r\n', '$-1\r\n');
    await redis.ask('*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n$1\r\nv\r\n');
    const binary = await RawClient.connect(address);
    await binary.ask(BINARY_GET.toString('latin1'), 'Not found');
    await client.ask('version\r\n');
    expect(await samples(subject, 'goromdb_data_set_lookups_total')).toEqual([
      'goromdb_data_set_lookups_total{data_set="",protocol="text",result="hit"} 4',
      'goromdb_data_set_lookups_total{data_set="",protocol="text",result="miss"} 1',
      'goromdb_data_set_lookups_total{data_set="",protocol="meta",result="hit"} 1',
      'goromdb_data_set_lookups_total{data_set="",protocol="meta",result="miss"} 1',
      'goromdb_data_set_lookups_total{data_set="",protocol="binary",result="hit"} 0',
      'goromdb_data_set_lookups_total{data_set="",protocol="binary",result="miss"} 1',
      'goromdb_data_set_lookups_total{data_set="",protocol="redis",result="hit"} 1',
      'goromdb_data_set_lookups_total{data_set="",protocol="redis",result="miss"} 1',
    ]);
    expect(await samples(subject, 'goromdb_refused_writes_total')).toEqual([
      'goromdb_refused_writes_total{protocol="text",command="set"} 1',
      'goromdb_refused_writes_total{protocol="meta",command="ms"} 1',
      'goromdb_refused_writes_total{protocol="redis",command="hset"} 1',
    ]);
  });

  it('is measured: each read while there are few, in buckets that add up', async () => {
    const subject = await serving();
    const client = await RawClient.connect(subject.goromdb.address);
    for (let i = 0; i < 20; i++) await client.ask('get k\r\n', 'END\r\n');
    const read = () => subject.goromdb.status().server.requests[0];
    // It is noted when the reply is out already.
    await expect.poll(() => read().duration.count).toBe(20);
    const { protocol, duration, size } = read();
    expect(protocol).toBe('text');
    expect([duration.count, size.count, size.sum]).toEqual([20, 20, 20 * 'get k\r\n'.length]);
    expect(size.buckets[0]).toEqual([32, 20]);
    expect(duration.sum).toBeGreaterThan(0);
    const counts = duration.buckets.map(([, count]) => count);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    const lines = await samples(subject, 'goromdb_request_duration_seconds_bucket');
    expect(lines.at(-1)).toBe(
      'goromdb_request_duration_seconds_bucket{protocol="text",le="+Inf"} 20',
    );
  });
});

test('how long answers took is measured by data set, and a read without a key is for none', async () => {
  const subject = await serving();
  const client = await RawClient.connect(subject.goromdb.address);
  for (let i = 0; i < 5; i++) await client.ask('get k\r\n', 'END\r\n');
  await client.ask('version\r\n');
  const total = () => subject.goromdb.status().server.requests[0].duration.count;
  await expect.poll(total).toBe(6);
  const { duration } = subject.goromdb.status().dataSets[0];
  expect(duration?.count).toBe(5);
  expect(duration?.sum).toBeGreaterThan(0);
  const lines = await samples(subject, 'goromdb_data_set_request_duration_seconds_count');
  expect(lines).toEqual(['goromdb_data_set_request_duration_seconds_count{data_set=""} 5']);
});

describe('what becomes of drops', () => {
  it('is counted by outcome and reason, with what each guard rejected from the start', async () => {
    const subject = await serving();
    drop(subject.file, 'broken');
    await expect.poll(() => subject.goromdb.status().dataSets[0].counters.loads_rejected).toBe(1);
    const labels = 'goromdb_data_set_loads_total{data_set="",outcome=';
    expect(await samples(subject, 'goromdb_data_set_loads_total')).toEqual([
      `${labels}"taken",reason=""} 1`,
      `${labels}"rejected",reason="TOO_FEW_KEYS"} 0`,
      `${labels}"rejected",reason="SHRUNK_TOO_MUCH"} 0`,
      `${labels}"rejected",reason="CANARY_MISSING"} 0`,
      `${labels}"rejected",reason="HIT_RATE_DROPPED"} 0`,
      `${labels}"rejected",reason="FORMAT_UNKNOWN"} 1`,
    ]);
    const stages = await samples(subject, 'goromdb_data_set_load_seconds');
    expect(stages.map((line) => /stage="(\w+)"/.exec(line)?.[1])).toContain('scan');
  });
});
