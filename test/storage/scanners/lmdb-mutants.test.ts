import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GoromdbError, provesFileBad } from '../../../src/errors.ts';
import { lmdbScanner } from '../../../src/storage/scanners/lmdb.ts';
import type { ScanOptions } from '../../../src/storage/scanners/scanner.ts';
import { type Records, ScratchFile } from '../../support/scratch-file.ts';
import { FIXTURES, fixture } from './lmdb-fixture.ts';

const MUTANTS = 250;
const MUTANT_MS_MAX = 2000;
const BUCKETS: Record<string, string> = { named: 'users', mixed: 'users', strings: 'words' };

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(lmdbScanner);
});
afterAll(() => file.close());

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

const NUMBERS = [0, 1, 2, 3, 4, 6, 7, 8, 15, 16, 24, 47, 48, 0x7f, 0x80, 0xff, 0x7fff, 0xffff];

/** Flips, overwrites, moves and cuts; most often where headers and pointers are. */
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
    else if (kind < 7) bytes.writeUInt16LE(NUMBERS[random(NUMBERS.length)], at & ~1);
    else if (kind < 8) bytes[at] = random(256);
    else if (kind < 9) bytes.copy(bytes, at, place(), place());
    else if (random(3) === 0) return bytes.subarray(0, at);
  }
  return bytes;
}

const names = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.mdb'))
  .map((name) => name.replace('.mdb', ''));

it.each(names)(`gives records or a typed error for ${MUTANTS} mutants of %s`, async (name) => {
  const original = fixture(name);
  const bucket = BUCKETS[name.slice(3)];
  const sound: Records = [];
  await file.scanTo(sound, original, { bucket }).catch(() => {});
  const known = new Set(sound.map(([, value]) => value));
  let refused = 0;
  for (let seed = 1; seed <= MUTANTS; seed++) {
    const bytes = mutate(original, createRandom(seed));
    const options: Partial<ScanOptions> = seed % 5 === 0 ? {} : { bucket };
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
      const isInFile = known.has(value) || bytes.includes(value, 0, 'latin1');
      if (!isInFile) throw new Error(`seed ${seed} of ${name}: a value that is not in the file`);
    }
    expect(recordBytes, `seed ${seed}: no byte is given twice`).toBeLessThanOrEqual(bytes.length);
  }
  expect(refused).toBeGreaterThan(0);
});
