import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gomemcacheSnippet } from '../../src/cli/cluster/gomemcache.ts';
import { haproxyFile } from '../../src/cli/cluster/haproxy.ts';
import { phpMemcachedSnippet, pylibmcSnippet } from '../../src/cli/cluster/libmemcached.ts';
import { nutcrackerFile } from '../../src/cli/cluster/nutcracker.ts';
import { pymemcacheSnippet } from '../../src/cli/cluster/pymemcache.ts';
import { parseAddress } from '../../src/common/address.ts';
import type { Topology } from '../../src/shards/shards.ts';
import { readShards } from '../../src/shards/shards-file.ts';
import { temporaryFolder } from '../support/folder.ts';

function topologyOf(text: string): Topology {
  const path = join(temporaryFolder(), 'shards.toml');
  writeFileSync(path, text);
  return readShards(path);
}

/** @param more Lines of each shard. */
function shards(count: number, more: readonly string[] = []): string {
  return Array.from({ length: count }, (_, i) => {
    const head = `[[shards]]\nname = "s${i}"\nidx = ${i}\naddress = "h${i}:1"`;
    return `${head}\nreplicas = ["r${i}:1"]\n${more[i] ?? ''}\n`;
  }).join('');
}

const listen = parseAddress('127.0.0.1:22121');

describe('the file of nutcracker', () => {
  test('has the shards in the order of their slots, with as many points', () => {
    const file = nutcrackerFile({ topology: topologyOf(shards(4)), listen, isRedis: true });
    expect(file).toContain('hash: crc16\n  hash_tag: "{}"\n  distribution: modula\n');
    expect(file).toContain('redis: true');
    expect(file.slice(file.indexOf('servers:'))).toBe(
      'servers:\n   - h0:1:4096 s00000\n   - h2:1:4096 s04096\n   - h1:1:4096 s08192\n   - h3:1:4096 s12288\n',
    );
  });

  test('has slots as they are given', () => {
    const topology = topologyOf(shards(2, ['slots = "9-16383"', 'slots = "0-8"']));
    const file = nutcrackerFile({ topology, listen, isRedis: false });
    expect(file).toContain('servers:\n   - h1:1:9 s00000\n   - h0:1:16375 s00009\n');
  });

  test('has each shard once with a CRC-32, and no tags', () => {
    const topology = topologyOf(`hash = "crc32"\n${shards(3)}`);
    const file = nutcrackerFile({ topology, listen, isRedis: false });
    expect(file).toContain('hash: crc32\n  distribution');
    expect(file).toContain('- h0:1:1 s00000\n   - h1:1:1 s00001\n   - h2:1:1 s00002\n');
  });

  test('listens where nutcracker can', () => {
    const topology = topologyOf(shards(1));
    const at = (address: string): string =>
      nutcrackerFile({ topology, listen: parseAddress(address), isRedis: false });
    expect(at(':7')).toContain('listen: 0.0.0.0:7\n');
    expect(at('/run/n.sock')).toContain('listen: /run/n.sock\n');
    expect(() => at('[::1]:7')).toThrow(/-listen: expected an IPv4 address.*found \[::1\]:7/);
  });
});

test('the file of HAProxy has all nodes', () => {
  const file = haproxyFile(topologyOf(shards(2)), parseAddress(':7'));
  expect(file).toContain('bind *:7\n');
  expect(file).toMatch(/server s0-0 h0:1\n.*s0-1 r0:1\n.*s1-0 h1:1\n.*s1-1 r1:1\n$/);
});

test.each([
  ['pymemcache', pymemcacheSnippet, '    [("h2", 1), ("r2", 1)],\n    [("h1", 1)'],
  ['gomemcache', gomemcacheSnippet, '\t{"h2:1", "r2:1"},\n\t{"h1:1"'],
])('the file for %s has the nodes in the order of slots', (_, snippet, lines) => {
  const text = snippet(topologyOf(shards(4)));
  expect(text).toContain(lines);
  expect(text).toMatch(/0, 4096, 8192, 12288/);
});

test.each([
  ['pylibmc', pylibmcSnippet, '    ["h1:1", "r1:1"],\n    ["h2:1"'],
  ['php-memcached', phpMemcachedSnippet, "        [['h1', 1], ['r1', 1]],\n"],
])('the file for %s is for crc32 only', (name, snippet, lines) => {
  const message = new RegExp(`^${name}: expected hash = "crc32" .*found "slots"`);
  expect(() => snippet(topologyOf(shards(4)))).toThrow(message);
  expect(snippet(topologyOf(`hash = "crc32"\n${shards(3)}`))).toContain(lines);
});
