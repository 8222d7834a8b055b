import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lmdbScanner } from '../../../src/storage/formats/lmdb/lmdb.ts';
import { WrappedValues } from '../../../src/storage/formats/lmdb/npm-lmdb.ts';
import { temporaryFolder } from '../../support/folder.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { fixture } from './lmdb-fixture.ts';

/** What is told of the values of a fixture. */
function noticesOf(name: string): Promise<readonly string[]> {
  return noticesIn(fixture(name));
}

async function noticesIn(bytes: Buffer): Promise<readonly string[]> {
  const file = new ScratchFile(lmdbScanner);
  onTestFinished(() => file.close());
  const notices: string[] = [];
  await file.scan(bytes, { onNotice: (text) => notices.push(text) });
  return notices;
}

/** What is told of these values, under keys `k0`, `k1`, … */
function noticesFor(values: readonly Uint8Array[]): readonly string[] {
  const wrapped = new WrappedValues(() => undefined);
  const sink = wrapped.watch({ add: () => {} });
  for (const [i, value] of values.entries()) {
    const key = Buffer.from(`k${i}`);
    sink.add(key, 0, key.length, value, 0, value.length, 0);
  }
  return wrapped.notices();
}

describe('values that the npm package lmdb has wrapped', () => {
  it('are reported when they are compressed, with their count and the first key', async () => {
    expect(await noticesOf('v2-compressed')).toEqual([
      expect.stringMatching(
        /^10 values look compressed by the npm package lmdb, .*; the first is that of "key-00002", at page \d+, byte \d+$/,
      ),
    ]);
  });

  it('are reported when they have versions', async () => {
    expect(await noticesOf('v2-versions')).toEqual([
      expect.stringMatching(
        /^all 20 values look as if .* a version of 8 bytes in front.*; the first is that of "key-00001", at page/,
      ),
    ]);
  });

  it.each(['v2-plain', 'v2-overflow', 'v2-binary', 'v2-deep', 'v1-plain'])(
    'are not seen in a file without (%s)',
    async (name) => {
      expect(await noticesOf(name)).toEqual([]);
    },
  );

  it('are reported when they are long, and when they have versions as well', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'data.mdb');
    const options = { encoding: 'binary', compression: true, useVersions: true } as const;
    const db = open({ path, noSubdir: true, ...options });
    // From 16 MiB on, the package writes a length of another form.
    await db.put('a', Buffer.alloc(2 ** 24, 'v'), 1);
    await db.put('b', Buffer.alloc(2 ** 24 - 1, 'v'), 2);
    await db.close();
    expect(await noticesIn(readFileSync(path))).toEqual([
      expect.stringMatching(/^2 values look compressed .*; the first is that of "a/),
      expect.stringMatching(/^all 2 values look as if .* a version of 8 bytes in front/),
    ]);
  });

  it('are not seen in text', () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 40 })
      .filter((value) => !value.includes('\0'))
      .map((value) => Buffer.from(value));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), (values) => {
        expect(noticesFor(values)).toEqual([]);
      }),
    );
  });

  it('are not seen in text among bytes of any kind', () => {
    const text = fc.string({ maxLength: 40 }).map((value) => Buffer.from(value));
    const bytes = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.array(fc.oneof(text, bytes), { minLength: 3, maxLength: 20 }), (values) => {
        // Bytes may be what is looked for by chance, but not all of them.
        expect(noticesFor([...values, Buffer.from('{"price":1}')])).toEqual([]);
      }),
    );
  });

  it('are not seen where one value has no version, where all are 0, or where there is one', () => {
    const versioned = (version: number): Buffer => {
      const value = Buffer.alloc(12);
      value.writeDoubleLE(version);
      return value;
    };
    expect(noticesFor([versioned(1), versioned(2)])).toHaveLength(1);
    expect(noticesFor([versioned(1), versioned(2), Buffer.alloc(3)])).toEqual([]);
    expect(noticesFor([versioned(0), versioned(0)])).toEqual([]);
    expect(noticesFor([versioned(1.5), versioned(2)])).toEqual([]);
    expect(noticesFor([versioned(-1), versioned(2)])).toEqual([]);
    expect(noticesFor([versioned(2 ** 48), versioned(2)])).toHaveLength(1);
    expect(noticesFor([versioned(2 ** 48 + 1), versioned(2)])).toEqual([]);
    expect(noticesFor([versioned(1)])).toEqual([]);
  });

  it('are compressed only when their block has the length that they say', () => {
    // 20 bytes: a literal, and 19 more by a match one byte back.
    const block = [0x1f, 0x61, 1, 0, 0];
    const value = (length: number): Buffer => Buffer.from([0xfe, 0, 0, length, ...block, 0]);
    expect(noticesFor([value(20)])).toHaveLength(1);
    // The package leaves the second byte of a long length as it is.
    const long = (length: number): Buffer =>
      Buffer.from([0xff, 0x7b, 0, 0, 0, 0, 0, length, ...block, 0]);
    expect(noticesFor([long(20)])).toHaveLength(1);
    expect(noticesFor([long(21)])).toEqual([]);
    expect(noticesFor([value(21)])).toEqual([]);
    expect(noticesFor([Buffer.from([0xfe, 0, 0, 20, ...block])])).toEqual([]);
  });
});
