/** Finds the bucket to serve in a BoltDB file, and says what there is when it is not there. */
import type { GoromdbError } from '../../../common/errors.ts';
import { unsupported } from '../../scanners/faults.ts';
import { NameList, printable } from '../../scanners/name-list.ts';
import type { ScanInput, ScanOptions } from '../../scanners/scanner.ts';
import { type BoltBucket, readBoltBucket } from './bolt-bucket.ts';
import type { BoltPages } from './bolt-pages.ts';
import { BoltTree, type ElementVisitor } from './bolt-tree.ts';

/** Buckets that are looked into for a message that says what there is. */
const LOOKED_INTO_MAX = 10;

interface NamedBucket {
  readonly name: Buffer;
  readonly bucket: BoltBucket;
}

/** Remembers the names of the buckets in one, and the one to serve. */
export class BucketFinder implements ElementVisitor {
  /** The wanted bucket; any when none is wanted. */
  found: NamedBucket | undefined;
  readonly names = new NameList();
  /** Some of them, for a message. */
  readonly first: NamedBucket[] = [];
  readonly #wanted: Buffer | undefined;
  readonly #place: 'top' | 'inside';
  readonly #pages: BoltPages;

  constructor(pages: BoltPages, bucket: string | undefined, place: 'top' | 'inside') {
    this.#pages = pages;
    this.#wanted = bucket === undefined ? undefined : Buffer.from(bucket);
    this.#place = place;
  }

  visit(
    bytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueEnd: number,
    flags: number,
    page: number,
    shift: number,
  ): void {
    if (flags === 0) {
      if (this.#place === 'inside') return;
      throw noBucket(this.#pages, page, keyStart + shift);
    }
    const bucket = readBoltBucket(this.#pages, bytes, keyEnd, valueEnd, page, shift);
    const name = Buffer.from(bytes.subarray(keyStart, keyEnd));
    const named = { name, bucket };
    if (this.#wanted === undefined || name.equals(this.#wanted)) this.found = named;
    if (this.first.length < LOOKED_INTO_MAX) this.first.push(named);
    this.names.add(name);
  }
}

/**
 * Goes from the top down to the bucket that the options name.
 *
 * @param top Has seen the list of the buckets.
 * @returns The bucket, and the names that lead to it.
 * @throws GoromdbError FORMAT_UNSUPPORTED when it is not there, and what a walk throws.
 */
export function findBucket(
  input: ScanInput,
  pages: BoltPages,
  top: BucketFinder,
  { bucket, inner = [] }: ScanOptions,
): { readonly bucket: BoltBucket; readonly path: readonly Buffer[] } {
  let served = chooseTop(input, pages, top, bucket);
  const path = [served.name];
  for (const name of inner) {
    const inside = new BucketFinder(pages, name, 'inside');
    new BoltTree(pages).walk(served.bucket, inside);
    served = chooseInside(input, inside, path, name);
    path.push(served.name);
  }
  return { bucket: served.bucket, path };
}

function chooseTop(
  input: ScanInput,
  pages: BoltPages,
  { found, names, first }: BucketFinder,
  bucket: string | undefined,
): NamedBucket {
  const others = names.count === 0 ? 'no bucket' : `the buckets ${names}`;
  if (bucket === undefined && names.count > 1) {
    const advice = 'choose one with -bucket, or serve all with -namespaces';
    throw unsupported(input, `expected one bucket; found ${others}; ${advice}`);
  }
  if (found !== undefined) return found;
  const expected = bucket === undefined ? 'a bucket' : `a bucket named ${printable(bucket)}`;
  let advice = '';
  for (const other of first) advice ||= nestedAdvice(pages, other);
  throw unsupported(input, `expected ${expected}; found ${others}${advice}`);
}

/** What is inside of a bucket that is not served, for a message; nothing if it is not sound. */
function nestedAdvice(pages: BoltPages, { name, bucket }: NamedBucket): string {
  const finder = new BucketFinder(pages, undefined, 'inside');
  try {
    new BoltTree(pages).walk(bucket, finder);
  } catch {
    return '';
  }
  const { names } = finder;
  return names.count === 0 ? '' : `; ${listNested(names, [name])}`;
}

function chooseInside(
  input: ScanInput,
  { found, names }: BucketFinder,
  path: readonly Buffer[],
  name: string,
): NamedBucket {
  if (found !== undefined) return found;
  const expected = `expected a bucket named ${printable(name)} in ${showPath(path)}`;
  const others = names.count === 0 ? 'no bucket there' : `others: ${listNested(names, path)}`;
  throw unsupported(input, `${expected}; found ${others}`);
}

/** Names the buckets inside of one, and says how one of them is served. */
export function listNested(names: NameList, path: readonly Buffer[]): string {
  const advice = 'to serve one, give -bucket for each name, from the outside in';
  return `the buckets in ${showPath(path)} are ${names}; ${advice}`;
}

/** `"deeper" in "users"`: no command to be copied, as names may hold what a shell obeys. */
function showPath(path: readonly Buffer[]): string {
  return path
    .map((name) => printable(name.toString()))
    .reverse()
    .join(' in ');
}

/** A record in the list of the buckets at the top, where no writer puts one. */
export function noBucket(pages: BoltPages, page: number, at: number): GoromdbError {
  return pages.corrupt(page, at, 'a bucket', ['a record']);
}
