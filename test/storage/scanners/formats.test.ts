import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { type ScanRequest, withSource } from '../../../src/loader/worker/scan-file.ts';
import { STORAGE_NAMES } from '../../../src/storage/formats/formats.ts';
import { FORMATS } from '../../../src/storage/formats/list.ts';
import { checkSelection } from '../../../src/storage/formats/selection.ts';
import { FIRST_BYTES } from '../../../src/storage/scanners/format.ts';
import { temporaryFolder } from '../../support/folder.ts';
import { FIRST_SEED, mutate } from '../../support/mutants.ts';
import { Random } from '../../support/random-bytes.ts';
import { type Records, recordSink } from '../../support/scratch-file.ts';
import { tableBytes } from '../../support/table-bytes.ts';

// All that adding a format takes: a format, and its line in the list.
vi.mock(import('../../../src/storage/formats/list.ts'), async (importOriginal) => {
  const { FORMATS } = await importOriginal();
  const { createFormat } = await import('../../../src/storage/scanners/format.ts');
  const pairs = createFormat({
    format: 'pairs',
    title: 'pairs',
    reading: 'pages',
    has: [],
    recognise: (head) => head.toString('latin1', 0, 6) === 'PAIRS\n',
    async scan({ fd, size }, _, sink) {
      const text = Buffer.alloc(size);
      readSync(fd, text, 0, size, 0);
      for (const line of text.toString('latin1').split('\n').slice(1)) {
        const at = line.indexOf('=');
        const bytes = Buffer.from(line, 'latin1');
        sink.add(bytes, 0, at, bytes, at + 1, bytes.length, 0);
      }
    },
  });
  return { FORMATS: [...FORMATS, pairs] };
});

const PAIRS = Buffer.from('PAIRS\na=1\nb=2');

/** Reads the records of a file as a load does. */
async function read(content: Buffer, request: Partial<ScanRequest> = {}): Promise<Records> {
  const path = join(temporaryFolder(), 'data.db');
  writeFileSync(path, content);
  const fd = openSync(path, 'r');
  const records: Records = [];
  const ignore = (): void => {};
  const hooks = { onProgress: ignore, onNotice: ignore, onRecord: ignore, onLocator: ignore };
  try {
    const asked = { scanner: 'auto', gzipped: false, scratchDir: temporaryFolder(), ...request };
    const input = { path, fd, size: content.length };
    await withSource(asked, input, ignore, (source) => source.scan(recordSink(records), hooks));
  } finally {
    closeSync(fd);
  }
  return records;
}

describe('a format that was added to the list', () => {
  test('has a name that -storage takes', () => {
    expect(STORAGE_NAMES).toContain('pairs');
  });

  test.each([
    ['auto', PAIRS],
    ['pairs', PAIRS],
    ['auto', gzipSync(PAIRS)],
    ['pairs', gzipSync(PAIRS)],
  ])('is read with -storage %s: %#', async (scanner, content) => {
    const records = [
      ['a', '1'],
      ['b', '2'],
    ];
    expect(await read(content, { scanner })).toEqual(records);
  });

  const FIELDS = { key: 'id', value: 'name' };

  test.each([
    [{ bucket: 'users' }, '-bucket: pairs has no buckets'],
    [{ namespaces: { delimiter: ':' } }, '-namespaces: pairs has none; -storage is pairs'],
    [{ fields: FIELDS }, 'are for JSON Lines; -storage is pairs'],
  ])('refuses by name what it does not have: %j', (selection, message) => {
    expect(() => checkSelection({ storage: 'pairs', ...selection })).toThrow(message);
    expect(() => checkSelection({ storage: 'auto', ...selection })).not.toThrow();
  });

  test.each([
    [{ bucket: 'users' }, '-bucket "users" was given but pairs has none'],
    [{ bucket: ['users', 'x'] }, 'only BoltDB has buckets inside of buckets, and this is pairs'],
    [{ namespaces: { delimiter: ':' } }, '-namespaces was given but pairs has none'],
    [{ fields: FIELDS }, 'are for JSON Lines, and this is pairs'],
  ])('refuses it also where only the file tells its format: %j', async (selection, message) => {
    await expect(read(PAIRS, selection)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining(message),
    });
  });

  test('is named to whoever drops it as another one, or drops what nobody knows', async () => {
    await expect(read(PAIRS, { scanner: 'lmdb' })).rejects.toThrow(
      '; it looks like pairs: use -storage pairs or auto',
    );
    await expect(read(Buffer.from([1, 2]))).rejects.toThrow(/Berkeley DB or pairs; its first/);
  });
});

const FIXTURES = new URL('../../../fixtures/', import.meta.url);

/** The fixtures of a folder, unpacked. */
function fixtures(folder: string): [name: string, bytes: Buffer][] {
  const names = readdirSync(new URL(folder, FIXTURES)).filter((name) => name !== 'README.md');
  return names.map((name) => {
    const bytes = readFileSync(new URL(`${folder}/${name}`, FIXTURES));
    return [name, name.endsWith('.gz') ? gunzipSync(bytes) : bytes];
  });
}

/** The formats that a file begins like. */
function looks(file: Buffer): string[] {
  const head = file.subarray(0, FIRST_BYTES);
  const found = FORMATS.filter(({ recognise }) => recognise?.(head, { path: '' }));
  return found.map(({ format }) => format);
}

describe('of a file one format at most says that it begins like it', () => {
  const lines = Buffer.from('{"key":"a","value":"1"}\n{"key":"b","value":"2"}\n');
  // A sequence number of a log that reads as the start of a JSON object.
  const logged = Buffer.from(readFileSync(new URL('bdb/btree-plain.db', FIXTURES)));
  logged.write('{"', 0);
  const other = ['heap.db', 'queue.db'];

  test.each<[string, [string, Buffer][]]>([
    ['json', [...fixtures('json'), ...fixtures('sample')]],
    ['jsonl', [['lines', lines]]],
    ['lmdb', fixtures('lmdb')],
    ['boltdb', fixtures('bolt')],
    [
      'bdb',
      [
        ...fixtures('bdb'),
        ...fixtures('memcachedb'),
        ['logged', logged] as [string, Buffer],
      ].filter(([name]) => !other.includes(name)),
    ],
    ['pairs', [['pairs', PAIRS]]],
  ])('%s', (format, files) => {
    expect(files).not.toHaveLength(0);
    for (const [name, bytes] of files) {
      expect(looks(bytes), name).toEqual([format]);
      for (let seed = FIRST_SEED; seed < FIRST_SEED + 20; seed++) {
        const mutant = mutate(bytes, 4096, new Random(seed));
        expect(looks(mutant).length, `${name}, seed ${seed}`).toBeLessThan(2);
      }
    }
  });

  test('table, and no other format of LMDB files', async () => {
    const bytes = await tableBytes([['a', '1']]);
    expect(looks(bytes)).toEqual(['table']);
    await expect(read(bytes, { scanner: 'lmdb' })).rejects.toThrow('found a table of goromdb');
  });

  test('none, for kinds of Berkeley DB that are not read', () => {
    for (const name of other) {
      expect(looks(readFileSync(new URL(`bdb/${name}`, FIXTURES)))).toEqual([]);
    }
  });
});
