import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, GoromdbError } from '../../../src/common/errors.ts';
import { type ByteSourceOptions, readBytes } from '../../../src/storage/scanners/byte-source.ts';
import { heldBuffers } from '../../support/held-buffers.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'goromdb-byte-source-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface ReadOptions extends Partial<ByteSourceOptions> {
  /** Size the file is said to have; undefined: the size it has. */
  readonly size?: number;
}

/** Reads a file with these contents and copies every chunk, as chunks are lent. */
async function readAll(contents: Uint8Array, options: ReadOptions = {}): Promise<Buffer> {
  const path = join(folder, 'file');
  await writeFile(path, contents);
  const file = await open(path);
  try {
    const input = { path, fd: file.fd, size: options.size ?? contents.length };
    const chunks: Buffer[] = [];
    for await (const chunk of readBytes(input, { gzipped: false, ...options })) {
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks);
  } finally {
    await file.close();
  }
}

async function refusal(contents: Uint8Array, options: ReadOptions = {}): Promise<GoromdbError> {
  const error = await readAll(contents, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(GoromdbError);
  return error as GoromdbError;
}

async function expectRefusal(
  contents: Uint8Array,
  options: ReadOptions,
  code: ErrorCode,
  message: RegExp,
): Promise<void> {
  const error = await refusal(contents, options);
  expect(error.message).toMatch(message);
  expect(error.code).toBe(code);
}

/** Text that deflate cannot shorten to nothing: 8 KB. */
const TEXT = Buffer.from(
  Array.from({ length: 1000 }, (_, i) => `${(i * 7919) % 9973} x\n`).join(''),
);
const GZIPPED = gzipSync(TEXT);

describe('a plain file', () => {
  test.each([1, 2, 3, 7, 1000, 1024 * 1024])('is read whole in chunks of %i bytes', async (n) => {
    expect(await readAll(TEXT.subarray(0, 500), { chunkBytes: n })).toEqual(TEXT.subarray(0, 500));
  });

  test('yields nothing when it is empty', async () => {
    expect(await readAll(Buffer.alloc(0))).toHaveLength(0);
  });

  test('that is longer than one chunk comes out in order', async () => {
    const contents = Buffer.alloc(3 * 1024 * 1024 + 17, 'abcdefghijk');
    expect((await readAll(contents)).equals(contents)).toBe(true);
  });

  test('is read only up to the size it had when it was opened', async () => {
    expect(await readAll(TEXT, { size: 10 })).toEqual(TEXT.subarray(0, 10));
  });

  test('that became shorter is refused with the byte where it ends', async () => {
    const size = TEXT.length + 5;
    await expectRefusal(
      TEXT,
      { size },
      'DATA_CORRUPT',
      new RegExp(`found the end at byte ${TEXT.length}`),
    );
  });

  test('that is gzip in truth is refused with advice', async () => {
    await expectRefusal(
      GZIPPED,
      {},
      'FORMAT_UNKNOWN',
      /expected an uncompressed file, found gzip .*add -gzipped/,
    );
  });

  test('reports progress in bytes up to the size of the file', async () => {
    const seen: number[] = [];
    await readAll(TEXT.subarray(0, 10), { chunkBytes: 4, onProgress: (bytes) => seen.push(bytes) });
    expect(seen).toEqual([4, 8, 10]);
  });

  test('that cannot be read is no proof of a bad file', async () => {
    const folderHandle = await open(folder);
    const input = { path: folder, fd: folderHandle.fd, size: 10 };
    const error = await readBytes(input, { gzipped: false })
      .next()
      .then(undefined, (thrown: unknown) => thrown);
    await folderHandle.close();
    expect(error).toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('leaves no read in flight when the caller stops early', async () => {
    const path = join(folder, 'early');
    await writeFile(path, TEXT);
    const file = await open(path);
    const input = { path, fd: file.fd, size: TEXT.length };
    for await (const chunk of readBytes(input, { gzipped: false, chunkBytes: 16 })) {
      expect(chunk).toHaveLength(16);
      break;
    }
    await file.close();
  });
});

describe('a gzip file', () => {
  test.each([1, 64, 1000, 1024 * 1024])('is unpacked in chunks of %i bytes', async (n) => {
    expect(await readAll(GZIPPED, { gzipped: true, chunkBytes: n })).toEqual(TEXT);
  });

  test('of several members is their contents in order', async () => {
    const contents = Buffer.concat([GZIPPED, gzipSync('and '), gzipSync(''), gzipSync('more')]);
    const expected = Buffer.concat([TEXT, Buffer.from('and more')]);
    expect(await readAll(contents, { gzipped: true })).toEqual(expected);
  });

  test('longer than one piece of input is unpacked whole', async () => {
    const noise = Buffer.alloc(300_000);
    for (let i = 0, x = 1; i < noise.length; i++) {
      x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
      noise[i] = x >>> 16;
    }
    const contents = Buffer.concat([gzipSync(noise), gzipSync(noise)]);
    const unpacked = await readAll(contents, { gzipped: true });
    expect(unpacked.equals(Buffer.concat([noise, noise]))).toBe(true);
  });

  test('may be padded with zeros', async () => {
    for (const zeros of [1, 7, 512, 200_000]) {
      const contents = Buffer.concat([GZIPPED, Buffer.alloc(zeros)]);
      expect(await readAll(contents, { gzipped: true })).toEqual(TEXT);
    }
  });

  test('is refused when something hides in the padding', async () => {
    const contents = Buffer.concat([GZIPPED, Buffer.alloc(100_000), Buffer.from('!')]);
    const place = GZIPPED.length + 100_000;
    const message = new RegExp(`zero padding.*found 21 at byte ${place}$`);
    await expectRefusal(contents, { gzipped: true }, 'DATA_CORRUPT', message);
  });

  test.each(['garbage', '\x1f', '\x1f\x8b', '\n'])('is refused with %j behind it', async (tail) => {
    const contents = Buffer.concat([GZIPPED, Buffer.from(tail, 'latin1')]);
    expect((await refusal(contents, { gzipped: true })).code).toBe('DATA_CORRUPT');
  });

  test('is refused wherever it ends too early', async () => {
    for (let size = 2; size < GZIPPED.length; size += 100) {
      const message = new RegExp(
        `expected the end of a gzip member, found the end of the file at byte ${size}`,
      );
      const cut = GZIPPED.subarray(0, size);
      await expectRefusal(cut, { gzipped: true }, 'DATA_CORRUPT', message);
    }
    const last = GZIPPED.subarray(0, GZIPPED.length - 1);
    expect((await refusal(last, { gzipped: true })).code).toBe('DATA_CORRUPT');
  });

  test('that became shorter is refused', async () => {
    const options = { gzipped: true, size: GZIPPED.length + 1 };
    await expectRefusal(
      GZIPPED,
      options,
      'DATA_CORRUPT',
      /expected \d+ bytes as when it was opened, found the end at byte/,
    );
  });

  test('is refused when its checksum does not match', async () => {
    const contents = Buffer.from(GZIPPED);
    contents[contents.length - 8] ^= 1;
    const message = new RegExp(`between byte 0 and byte ${contents.length} .*match their CRC-32`);
    await expectRefusal(contents, { gzipped: true }, 'DATA_CORRUPT', message);
  });

  test('is refused when its stated length does not match', async () => {
    const contents = Buffer.from(GZIPPED);
    contents[contents.length - 1] ^= 1;
    await expectRefusal(contents, { gzipped: true }, 'DATA_CORRUPT', /match their stated length/);
  });

  test('with any one byte changed is refused or decompresses to the same', async () => {
    const at = fc.nat({ max: GZIPPED.length - 1 });
    await fc.assert(
      fc.asyncProperty(at, fc.integer({ min: 1, max: 255 }), async (index, change) => {
        const contents = Buffer.from(GZIPPED);
        contents[index] ^= change;
        const result = await readAll(contents, { gzipped: true }).catch((error: unknown) => error);
        if (Buffer.isBuffer(result)) expect(result).toEqual(TEXT);
        else expect(result).toBeInstanceOf(GoromdbError);
      }),
      { numRuns: 300 },
    );
  });

  test('that is not gzip is refused with the bytes it begins with', async () => {
    const message = /-gzipped was given but .* begins with 7b 22 61 22$/;
    await expectRefusal(Buffer.from('{"a":"b"}'), { gzipped: true }, 'FORMAT_UNKNOWN', message);
    await expectRefusal(Buffer.from([0x1f]), { gzipped: true }, 'FORMAT_UNKNOWN', /with 1f$/);
    await expectRefusal(Buffer.alloc(0), { gzipped: true }, 'FORMAT_UNKNOWN', /is empty$/);
  });

  test('may not unpack to more than the limit', async () => {
    const limit = { gzipped: true, gunzipBytesMax: TEXT.length };
    expect(await readAll(GZIPPED, limit)).toEqual(TEXT);
    const less = { gzipped: true, gunzipBytesMax: TEXT.length - 1 };
    await expectRefusal(GZIPPED, less, 'LIMIT_EXCEEDED', /expected at most \d+ decompressed bytes/);
  });

  test('reports progress in bytes of the file, never backwards, up to its size', async () => {
    const seen: number[] = [];
    const options = { gzipped: true, chunkBytes: 64, onProgress: (n: number) => seen.push(n) };
    await readAll(GZIPPED, options);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(GZIPPED.length);
  });

  test('lets the caller stop early', async () => {
    const path = join(folder, 'early.gz');
    await writeFile(path, GZIPPED);
    const file = await open(path);
    const input = { path, fd: file.fd, size: GZIPPED.length };
    for await (const chunk of readBytes(input, { gzipped: true, chunkBytes: 64 })) {
      expect(chunk).toHaveLength(64);
      break;
    }
    await file.close();
  });

  test('that decompresses to a hundred megabytes needs little memory', async () => {
    const path = join(folder, 'bomb.gz');
    await writeFile(path, gzipSync(Buffer.alloc(100_000_000, ' '), { level: 1 }));
    const file = await open(path);
    const { size } = await file.stat();
    const limit = process.memoryUsage().arrayBuffers + 70_000_000;
    let peak = 0;
    let bytes = 0;
    for await (const chunk of readBytes({ path, fd: file.fd, size }, { gzipped: true })) {
      bytes += chunk.length;
      peak = Math.max(peak, heldBuffers(limit));
    }
    await file.close();
    expect(bytes).toBe(100_000_000);
    expect(peak).toBeLessThan(limit);
  });
});
