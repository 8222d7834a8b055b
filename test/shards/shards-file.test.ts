import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readShards } from '../../src/shards/shards-file.ts';
import { temporaryFolder } from '../support/folder.ts';

function read(text: string): ReturnType<typeof readShards> {
  const path = join(temporaryFolder(), 'shards.toml');
  writeFileSync(path, text);
  return readShards(path);
}

function shard(idx: number, more = ''): string {
  const lines = [`name = "s${idx}"`, `idx = ${idx}`, `address = "h${idx}:8080"`, more];
  return `[[shards]]\n${lines.join('\n')}\n`;
}

test('the file of the programs before is valid as it is', () => {
  const topology = read(`
[[shards]]
name = "shard0"
idx  = 0
address = "localhost:8080"

[[shards]]
name = "shard1"
idx = 1
address = "localhost:8081"
`);
  expect(topology).toEqual({
    hash: 'slots',
    shards: [0, 1].map((idx) => ({
      name: `shard${idx}`,
      idx,
      slots: { first: idx * 8192, last: idx * 8192 + 8191 },
      nodes: [{ address: { kind: 'tcp', host: 'localhost', port: 8080 + idx } }],
    })),
  });
});

test('shards have replicas, addresses for clients of a Redis Cluster, and slots of their own', () => {
  const { shards } = read(
    shard(
      1,
      `slots = "0-99"\ncluster-address = "h1:7000"\nannounce = "public:7000"
replicas = ["r1:8080", { address = "r2:8080", cluster-address = "r2:7000", announce = "p:7" }]`,
    ) + shard(0, 'slots = "100-16383"'),
  );
  expect(shards.map(({ name, slots }) => [name, slots])).toEqual([
    ['s0', { first: 100, last: 16383 }],
    ['s1', { first: 0, last: 99 }],
  ]);
  const tcp = (host: string, port: number): object => ({ kind: 'tcp', host, port });
  expect(shards[1].nodes).toEqual([
    {
      address: tcp('h1', 8080),
      clusterAddress: tcp('h1', 7000),
      announce: tcp('public', 7000),
    },
    { address: tcp('r1', 8080) },
    { address: tcp('r2', 8080), clusterAddress: tcp('r2', 7000), announce: tcp('p', 7) },
  ]);
});

test('a line of a megabyte takes no time', () => {
  const text = `${shard(0)}${shard(1).replace('"s1"', '"s 1"')}`;
  const long = `"""\n[${' '.repeat(900_000)}x\n"""`;
  expect(() => read(`long = ${long}\n${text}`)).toThrow(/long: "long" is not known/);
});

test('other hashes split over any number of shards', () => {
  expect(read(`hash = "crc32"\n${[0, 1, 2].map((i) => shard(i)).join('')}`)).toMatchObject({
    hash: 'crc32',
    shards: [{ idx: 0 }, { idx: 1 }, { idx: 2 }],
  });
});

describe('says file, line, what was given and what is allowed:', () => {
  const two = shard(0) + shard(1);
  test.each([
    ['', /shards\.toml: shards: expected one \[\[shards\]\] or more/],
    ['shards = 7', /shards: expected one \[\[shards\]\] or more/],
    [`hash = "md5"\n${two}`, /toml:1: hash: expected one of slots, crc32, crc32a, found "md5"/],
    [`hsh = "slots"\n${two}`, /toml:1: hsh: "hsh" is not known; expected one of hash/],
    [shard(0, 'slot = "0-1"'), /toml:5: slot: "slot" is not known; expected one of name, idx/],
    [two.replace('idx = 1', 'idx = 0'), /toml:8: idx: 0 is that of s0 already/],
    [two.replace('idx = 1', 'idx = 2'), /toml:8: idx: expected 0 to 1, as there are 2 shards/],
    [two.replace('idx = 1\n', ''), /toml:6: idx: expected a whole number from 0, found nothing/],
    [two.replace('"s1"', '"s0"'), /toml:7: name: "s0" is there twice/],
    [two.replace('"s1"', '"s 1"'), /toml:7: name: expected 1 to 64 letters.*found "s 1"/],
    [two.replace('h1:', 'h0:'), /toml:.*address: "h0:8080" is there twice/],
    [shard(0, 'cluster-address = "h0:8080"'), /toml:5: cluster-address: "h0:8080" is there twice/],
    [
      shard(0, 'cluster-address = "h:1"\nannounce = "h0:8080"'),
      /toml:6: announce: "h0:8080" is there twice/,
    ],
    [shard(0, 'replicas = ["r:1", "h0:8080"]'), /toml:5: replicas: "h0:8080" is there twice/],
    [two.replace('h1:8080', ':8080'), /toml:9: address: expected "host:port".*found ":8080"/],
    [two.replace('h1:8080', '/tmp/s'), /toml:9: address: expected "host:port".*"\/tmp\/s"/],
    [two.replace('h1:8080', 'h1:0'), /toml:9: address: expected "host:port".*found "h1:0"/],
    [two.replace('h1:', '0.0.0.0:'), /toml:9: address: .* found "0\.0\.0\.0:8080", which is all/],
    [shard(0, 'replicas = ["[::0]:1"]'), /toml:5: replicas: .* found "\[::0\]:1", which is all/],
    [
      shard(0, 'cluster-address = "0.0.0.0:7"'),
      /toml:5: cluster-address: 0\.0\.0\.0:7: expected announce beside it, which says where/,
    ],
    [
      shard(0, 'cluster-address = "0.0.0.0:7"\nannounce = "[::]:7"'),
      /toml:6: announce: .* found "\[::\]:7", which is all addresses/,
    ],
    [shard(0, 'replicas = "a:1"'), /toml:5: replicas: expected a list of "host:port"/],
    [shard(0, 'replicas = [7]'), /toml:5: replicas: expected "host:port".*found 7/],
    [shard(0, 'replicas = [{ port = 1 }]'), /toml:5: replicas: "port" is not known/],
    [shard(0, 'announce = "a:1"'), /toml:5: announce: announce: expected cluster-address/],
    [
      `${two}${shard(2)}`,
      /toml:11: shards: expected 1, 2, 4, 8, … 256 shards, or slots for each, found 3/,
    ],
    [`hash = "crc32"\n${shard(0, 'slots = "0-1"')}`, /slots: expected none with hash = "crc32"/],
    [shard(0, 'slots = "5-4"'), /toml:5: slots: expected "first-last" within "0-16383"/],
    [shard(0, 'slots = "0-16384"'), /toml:5: slots: expected "first-last" within "0-16383"/],
    [shard(0, 'slots = "1-16383"'), /expected to begin at 0: slots 0-0 belong to no shard/],
    [shard(0, 'slots = "0-16382"'), /expected to end at 16383: slots 16383-16383 belong to no/],
    [shard(0, 'slots = "0-9"') + shard(1), /toml:6: slots is missing, as other shards have it/],
    [
      shard(0, 'slots = "0-9"') + shard(1, 'slots = "9-16383"'),
      /toml:10: slots: expected to begin at 10: 9 is a slot of another shard, too/,
    ],
    [
      Array.from({ length: 257 }, (_, i) => shard(i)).join(''),
      /toml:1281: shards: expected at most 256, found 257/,
    ],
    [
      shard(0, `replicas = [${Array.from({ length: 512 }, (_, i) => `"r${i}:1"`).join(', ')}]`),
      /expected at most 512 nodes, found 513/,
    ],
    ['[[shards]\n', /toml:1:\d+: /],
  ])('%#', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
