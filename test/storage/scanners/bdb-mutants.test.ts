import { afterAll, beforeAll, expect, it } from 'vitest';
import { GoromdbError, provesFileBad } from '../../../src/errors.ts';
import { bdbScanner } from '../../../src/storage/scanners/bdb.ts';
import { memcachedbScanner } from '../../../src/storage/scanners/memcachedb.ts';
import type { ScanOptions } from '../../../src/storage/scanners/scanner.ts';
import { type Records, ScratchFile } from '../../support/scratch-file.ts';
import { fixture, fixtureNames, Image } from './bdb-fixture.ts';

const MUTANTS = 250;
const MUTANT_MS_MAX = 2000;

let bdb: ScratchFile;
let memcachedb: ScratchFile;
beforeAll(() => {
  bdb = new ScratchFile(bdbScanner);
  memcachedb = new ScratchFile(memcachedbScanner);
});
afterAll(() => {
  bdb.close();
  memcachedb.close();
});

/** Random numbers that a seed repeats (mulberry32): [0, limit). */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const NUMBERS = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 26, 32, 0x7f, 0x80, 0xff, 0x1fc, 0x7fff, 0xffff,
];

/** Flips, overwrites, moves and cuts; most often where headers and indexes are. */
function mutate(original: Buffer, random: (limit: number) => number): Buffer {
  const bytes = Buffer.from(original);
  const place = (): number => {
    const any = random(bytes.length);
    return random(3) === 0 ? any : any - (any % 512) + random(64);
  };
  for (let rounds = 1 + random(4); rounds > 0; rounds--) {
    const at = place();
    const kind = random(10);
    if (kind < 3) bytes[at] ^= 1 << random(8);
    else if (kind < 5) bytes.writeUInt16LE(NUMBERS[random(NUMBERS.length)], at & ~1);
    else if (kind < 7) bytes.writeUInt16BE(NUMBERS[random(NUMBERS.length)], at & ~1);
    else if (kind < 8) bytes[at] = random(256);
    else if (kind < 9) bytes.copy(bytes, at, place(), place());
    else if (random(3) === 0) return bytes.subarray(0, at);
  }
  return bytes;
}

/** Shorter pieces of a value prove nothing, but for the last. */
const PIECE_BYTES_MIN = 16;

/** Whether a value, or each of the pieces that overflow pages cut it into, is in the file. */
function isInFile(value: string, bytes: Buffer): boolean {
  let at = 0;
  while (at < value.length) {
    let [good, bad] = [0, value.length - at + 1];
    while (good + 1 < bad) {
      const middle = (good + bad) >> 1;
      if (bytes.includes(value.slice(at, at + middle), 0, 'latin1')) good = middle;
      else bad = middle;
    }
    if (good < Math.min(PIECE_BYTES_MIN, value.length - at)) return false;
    at += good;
  }
  return true;
}

// Pages of 64 KiB are nearly all zeros: a mutant of them tells little and takes long.
const names = [...fixtureNames('bdb'), ...fixtureNames('memcachedb')].filter(
  (name) => !name.includes('64k'),
);

it.each(names)(`gives records or a typed error for ${MUTANTS} mutants of %s`, async (name) => {
  const original = fixture(name);
  const file = name.startsWith('memcachedb') ? memcachedb : bdb;
  const bucket = name.includes('databases') ? 'users' : undefined;
  const sound: Records = [];
  await file.scanTo(sound, original, { bucket }).catch(() => {});
  const known = new Set(sound.map(([, value]) => value));
  let refused = 0;
  for (let seed = 1; seed <= MUTANTS; seed++) {
    const bytes = mutate(original, createRandom(seed));
    // Otherwise the checksums would find nearly everything.
    const image = seed % 4 !== 0 && bytes.length >= 512 ? new Image(name, bytes) : undefined;
    if (image?.pageBytes === 512) image.seal();
    const options: Partial<ScanOptions> =
      bucket && seed % 3 === 0 ? { bucket: 'orders' } : { bucket };
    const records: Records = [];
    const started = performance.now();
    try {
      await file.scanTo(records, bytes, options);
    } catch (error) {
      refused++;
      if (!(error instanceof GoromdbError) || !provesFileBad(error)) {
        throw new Error(`seed ${seed} of ${name}`, { cause: error });
      }
    }
    expect(performance.now() - started, `seed ${seed}`).toBeLessThan(MUTANT_MS_MAX);
    let recordBytes = 0;
    for (const [key, value] of records) {
      recordBytes += key.length + value.length;
      if (known.has(value) || isInFile(value, bytes)) continue;
      throw new Error(`seed ${seed} of ${name}: a value that is not in the file`);
    }
    expect(recordBytes, `seed ${seed}: no byte is given twice`).toBeLessThanOrEqual(bytes.length);
  }
  expect(refused).toBeGreaterThan(0);
});
