import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { readManifest } from '../../src/build/manifest.ts';
import {
  equalShards,
  type SplitRequest,
  splitRecords,
  splitShards,
} from '../../src/build/split.ts';
import { partOf } from '../../src/shards/place.ts';
import { shardFunctionOf } from '../../src/shards/shards.ts';
import { readTableFile } from '../../src/storage/table/table-file.ts';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { recordsOf } from './records.ts';

const KEYS = 2_000;

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function csv(lines: readonly string[] = []): string {
  const rows = Array.from({ length: KEYS }, (_, i) => `key-${i},value ${i}`);
  const path = join(folder, 'in.csv');
  writeFileSync(path, ['id,v', ...rows, ...lines, ''].join('\n'));
  return path;
}

function requestFor(count: number, input: string, more: Partial<SplitRequest> = {}): SplitRequest {
  const rows = { key: ['id'], value: 'v' };
  const dir = join(folder, `s${count}`);
  return { dir, into: equalShards(count), set: 'users', inputs: [input], rows, ...more };
}

test('each key is in the file of its shard, with its value, and the manifest says what is there', async () => {
  const request = requestFor(4, csv());
  const { manifest } = await splitRecords(request);
  expect(readManifest(request.dir)).toEqual(manifest);
  expect(manifest).toMatchObject({ set: 'users', hash: 'slots', parent: null });
  const { shardOf } = shardFunctionOf(request.into);
  const seen = new Map<string, string>();
  for (const { idx, file, keys, bytes, md5: sum } of manifest.shards) {
    const path = join(request.dir, file);
    const content = readFileSync(path);
    expect([content.length, md5(content)]).toEqual([bytes, sum]);
    expect(readFileSync(`${path}.md5`, 'utf8')).toBe(`${sum}  ${file}\n`);
    const records = Object.entries(await recordsOf(path));
    expect(records).toHaveLength(keys);
    expect(readTableFile(path).layout.part).toBe(partOf(request.into, idx));
    for (const [key, value] of records) {
      expect(shardOf(Buffer.from(key), 0, key.length)).toBe(idx);
      seen.set(key, value);
    }
  }
  expect(seen.size).toBe(KEYS);
  expect(seen.get('key-77')).toBe('value 77');
  expect(manifest.totals.keys).toBe(KEYS);
  expect(readdirSync(request.dir)).toHaveLength(9);
});

test('shards that are split have the bytes that the inputs would have had, and others are not read', async () => {
  const input = csv();
  await splitRecords(requestFor(2, input));
  const direct = await splitRecords(requestFor(8, input, { dir: join(folder, 'direct') }));
  const request = { dir: join(folder, 's8'), into: equalShards(8), set: 'users' };
  const from = join(folder, 's2');
  const { manifest, moves } = await splitShards({ ...request, from });
  expect(manifest.shards).toEqual(direct.manifest.shards);
  expect(manifest.version).toBe(direct.manifest.version);
  expect(manifest.parent).toBe(readManifest(from).version);
  const to = (name: string): readonly string[] =>
    moves.filter((move) => move.from === name).map((move) => move.to);
  expect(to('shard1')).toEqual(['shard1', 'shard3', 'shard5', 'shard7']);
  expect(moves.reduce((sum, { keys }) => sum + keys, 0)).toBe(KEYS);
});

test('shards of any name that shards.toml takes are split further', async () => {
  const names = ['.a', '..', '-b', 'x'.repeat(64)];
  const { hash, shards } = equalShards(4);
  const into = { hash, shards: shards.map((shard, i) => ({ ...shard, name: names[i] })) };
  const { manifest } = await splitRecords(requestFor(4, csv(), { into }));
  expect(readManifest(join(folder, 's4'))).toEqual(manifest);
  const request = { dir: join(folder, 's8'), into: equalShards(8), set: 'users' };
  const split = await splitShards({ ...request, from: join(folder, 's4') });
  expect(split.manifest.totals.keys).toBe(KEYS);
});

test.each([
  ['last', 'b'],
  ['first', 'a'],
] as const)('of records with one key the %s is kept, and it is said', async (duplicates, value) => {
  const request = requestFor(4, csv(['twice,a', 'twice,b']), { duplicates });
  const { manifest, notices } = await splitRecords(request);
  const files = manifest.shards.map(({ file }) => recordsOf(join(request.dir, file)));
  expect(Object.assign({}, ...(await Promise.all(files))).twice).toBe(value);
  expect(notices).toEqual([
    expect.stringMatching(/^shard\d: 1 record has a key that came before; .* is "twice"$/),
  ]);
});

describe('what was there stays when', () => {
  async function expectRefused(
    input: string,
    more: Partial<SplitRequest>,
    message: RegExp,
  ): Promise<void> {
    const request = requestFor(4, input);
    const { manifest } = await splitRecords(request);
    const names = readdirSync(request.dir);
    writeFileSync(input, `id,v\nother,1\n${'long'.repeat(100)},2\ntwice,a\ntwice,b\n`);
    await expect(splitRecords({ ...request, ...more })).rejects.toThrow(message);
    expect(readManifest(request.dir)).toEqual(manifest);
    expect(readdirSync(request.dir)).toEqual(names);
  }

  test('a row is bad', async () => {
    const input = csv();
    await expectRefused(input, { rows: { key: ['none'] } }, /none/);
  });

  test('a key comes twice, and must not', async () => {
    await expectRefused(csv(), { duplicates: 'error' }, /shard\d: 1 record has a key that came/);
  });

  test('a key cannot be asked for, and must be', async () => {
    await expectRefused(csv(), { keys: 'memcached' }, /1 key is longer than 250 bytes/);
  });

  test('the split is aborted', async () => {
    await expectRefused(csv(), { signal: AbortSignal.abort() }, /aborted/);
  });
});

test('of shards that are split none is replaced when a later one cannot be split', async () => {
  const input = csv();
  await splitRecords(requestFor(2, input));
  const from = join(folder, 's2');
  const request = { dir: join(folder, 's4'), into: equalShards(4), set: 'users', from };
  const { manifest } = await splitShards(request);
  const sums = (): readonly string[] =>
    readdirSync(request.dir).map((name) => md5(readFileSync(join(request.dir, name))));
  const before = sums();
  writeFileSync(input, 'id,v\nother,1\n');
  await splitRecords(requestFor(2, input));
  appendFileSync(join(from, 'shard1.db'), 'x');
  await expect(splitShards(request)).rejects.toThrow('expected SHA-256');
  expect(readManifest(request.dir)).toEqual(manifest);
  expect(sums()).toEqual(before);
});

describe('shards are not split when', () => {
  async function refusal(change: (from: string) => void, count = 8): Promise<string> {
    const from = join(folder, 's4');
    await splitRecords(requestFor(4, csv()));
    change(from);
    const dir = join(folder, 'out');
    const request = { dir, into: equalShards(count), set: 'users', from };
    const error = await splitShards(request).catch((caught: Error) => caught);
    expect(existsSync(join(dir, 'shard7.db'))).toBe(false);
    return (error as Error).message;
  }

  function edit(from: string, change: (manifest: Record<string, unknown>) => void): void {
    const path = join(from, 'manifest.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    change(manifest);
    writeFileSync(path, JSON.stringify(manifest));
  }

  test('their number is no divisor of the new one', async () => {
    expect(await refusal(() => {}, 2)).toContain('expected a multiple of them, found 2');
  });

  test('a file is not the one of the manifest', async () => {
    const message = await refusal((from) => appendFileSync(join(from, 'shard2.db'), 'x'));
    expect(message).toMatch(
      /shard2\.db: expected SHA-256 [0-9a-f]{64}, as its manifest says, found/,
    );
  });

  test('the manifest names a file elsewhere', async () => {
    const message = await refusal((from) => {
      edit(from, (manifest) => {
        (manifest.shards as { file: string }[])[0].file = '../../etc/passwd';
      });
    });
    expect(message).toContain('manifest.json: expected a manifest of format goromdb-shards-1');
  });

  test.each(['manifest.json', 'shard2.db'])('%s is a FIFO, which does not end', async (name) => {
    const message = await refusal((from) => {
      rmSync(join(from, name));
      execFileSync('mkfifo', [join(from, name)]);
    });
    expect(message).toMatch(`${name}: it is not a regular file`);
  });

  test.each([
    ['name', '\u001b[2J'],
    ['name', ''],
    ['sha256', '\u001b[2J'],
    ['keys', -1],
    ['bytes', 1e300],
  ])('the manifest has a shard whose %s is none', async (field, value) => {
    const message = await refusal((from) => {
      edit(from, (manifest) => {
        (manifest.shards as Record<string, unknown>[])[1][field] = value;
      });
    });
    expect(message).toContain('manifest.json: expected a manifest of format goromdb-shards-1');
  });

  test('the folder to write is the same by another name', async () => {
    const message = await refusal((from) => symlinkSync(from, join(folder, 'out')));
    expect(message).toContain('expected another folder than the one to write');
  });

  test.each([
    ['no JSON', () => '{'],
    ['another format', (text: string) => text.replace('goromdb-shards-1', 'goromdb-shards-2')],
    ['another version', (text: string) => text.replace(/"version": "\w/, '"version": "-')],
    ['no shards', () => '{"format":"goromdb-shards-1","shards":[]}'],
    ['null', () => 'null'],
  ])('the manifest is %s', async (_what, change) => {
    const message = await refusal((from) => {
      const path = join(from, 'manifest.json');
      writeFileSync(path, change(readFileSync(path, 'utf8')));
    });
    expect(message).toContain('expected a manifest of format goromdb-shards-1');
  });
});
