import process from 'node:process';
import { expect } from 'vitest';
import { GoromdbError, isBadFile } from '../../src/common/errors.ts';
import type { ScanOptions } from '../../src/storage/scanners/scanner.ts';
import { cpuMs } from './cpu-time.ts';
import { Random } from './random-bytes.ts';
import type { Records, ScratchFile } from './scratch-file.ts';

/** Longest processor time that one mutant may take. */
const MUTANT_MS_MAX = 2000;
/** The process may grow by so much while it scans mutants of small files. */
const GROWTH_BYTES_MAX = 512 * 1024 * 1024;
/** Shorter pieces of a value show nothing, but for the last. */
const PIECE_BYTES_MIN = 16;

/** Mutants of each file: `npm test` tries a few, `npm run test:mutants` many. */
export const MUTANTS = Number(process.env.MUTANTS ?? 40);

/** The seed of the first mutant. Failures name the seed of theirs. */
export const FIRST_SEED = Number(process.env.SEED ?? 1);

/** Numbers that are limits of something. */
const NUMBERS = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15, 16, 17, 24, 26, 32, 47, 48, 0x7f, 0x80, 0xff, 0x1fc,
  0x7fff, 0x8000, 0xffff,
] as const;

/** Flips, overwrites, splices, moves and cuts; most often where headers and indexes are. */
export function mutate(original: Buffer, pageBytes: number, random: Random): Buffer {
  const bytes = Buffer.from(original);
  const place = (): number => {
    const any = random.below(bytes.length);
    const isHead = random.below(3) > 0;
    return Math.min(isHead ? any - (any % pageBytes) + random.below(96) : any, bytes.length - 2);
  };
  for (let rounds = 1 + random.below(4); rounds > 0; rounds--) {
    const at = place();
    const number = NUMBERS[random.below(NUMBERS.length)];
    const kind = random.below(13);
    if (kind < 3) bytes[at] ^= 1 << random.below(8);
    else if (kind < 5) bytes.writeUInt16LE(number, at & ~1);
    else if (kind < 7) bytes.writeUInt16BE(number, at & ~1);
    else if (kind < 8) bytes[at] = random.below(256);
    else if (kind < 9) bytes.copy(bytes, at, place(), place());
    else if (kind < 10) copyPage(bytes, pageBytes, random);
    else if (kind < 11) return splice(bytes, at, place(), random.below(40));
    else if (random.below(3) === 0) return bytes.subarray(0, at);
  }
  return bytes;
}

function copyPage(bytes: Buffer, pageBytes: number, random: Random): void {
  const pages = Math.max(1, Math.floor(bytes.length / pageBytes));
  const [from, to] = [random.below(pages), random.below(pages)];
  bytes.copy(bytes, to * pageBytes, from * pageBytes, (from + 1) * pageBytes);
}

/** Takes some bytes out of one place and puts those of another one there. */
function splice(bytes: Buffer, at: number, from: number, length: number): Buffer {
  const middle = bytes.subarray(from, from + length);
  return Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(at + (length >> 1))]);
}

/** How the mutants of one file are made and read. */
export interface MutantPlan {
  readonly name: string;
  readonly original: Buffer;
  readonly pageBytes: number;
  readonly file: ScratchFile;
  /** Ways to read the file, taken in turns. */
  readonly ways: readonly Partial<ScanOptions>[];
  /** Makes checksums right again, so that they do not find everything. */
  readonly seal?: (bytes: Buffer) => void;
}

/**
 * Scans mutants of a sound file. Each must give records or be refused as a bad file, in bounded time
 * and memory, and no value may be given that is not in the file, or bytes of it twice.
 */
export async function tryMutants(plan: MutantPlan): Promise<void> {
  const { name, original, pageBytes, file, ways, seal } = plan;
  const known = new Set<string>();
  for (const way of ways) {
    const sound: Records = [];
    await file.scanTo(sound, original, way).catch(() => {});
    for (const [, value] of sound) known.add(value);
  }
  const before = process.resourceUsage().maxRSS * 1024;
  let refused = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + MUTANTS; seed++) {
    const title = `SEED=${seed} of ${name}`;
    const bytes = mutate(original, pageBytes, new Random(seed));
    if (seed % 4 !== 0) seal?.(bytes);
    const way = ways[seed % ways.length];
    const records: Records = [];
    const startedMs = cpuMs();
    try {
      await file.scanTo(records, bytes, way);
    } catch (error) {
      refused++;
      if (!(error instanceof GoromdbError) || !isBadFile(error)) {
        throw new Error(title, { cause: error });
      }
    }
    expect(cpuMs() - startedMs, title).toBeLessThan(MUTANT_MS_MAX);
    checkRecords(records, known, bytes, title, way.namespaces === undefined);
  }
  expect(refused, 'mutants that were refused').toBeGreaterThan(0);
  const growth = process.resourceUsage().maxRSS * 1024 - before;
  expect(growth, 'bytes that the process grew by').toBeLessThan(GROWTH_BYTES_MAX);
}

function checkRecords(
  records: Records,
  known: ReadonlySet<string>,
  bytes: Buffer,
  title: string,
  isPlain: boolean,
): void {
  let recordBytes = 0;
  for (const [key, value] of records) {
    recordBytes += (isPlain ? key.length : 0) + value.length;
    if (known.has(value) || isInFile(value, bytes)) continue;
    throw new Error(`${title}: a value that is not in the file`);
  }
  if (recordBytes > bytes.length) throw new Error(`${title}: bytes that are given twice`);
}

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
