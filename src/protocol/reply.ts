import { copyWords, viewOf, WORDS_BYTES_MAX, WORDS_SLACK_BYTES } from '../storage/copy-words.ts';
import { isMapped } from '../storage/map-window.ts';
import { copyBytes, digitsOf, writeDecimal } from '../storage/record.ts';
import type { Lease } from '../storage/storage.ts';

/** Bytes of a slab: the memory that replies are built in. */
const SLAB_BYTES = 64 * 1024;

/** A reply this long is written out before more is added to it. */
export const REPLY_FULL_BYTES = 48 * 1024;

/** Slabs that are kept for use after they were sent. */
const SPARE_SLABS_MAX = 16;

/**
 * Work after which the other clients get their turn, whatever there is to send. A unit is about a
 * microsecond of a thread: a lookup of a short key, or the reading of a short command. So a turn
 * takes about a millisecond, and never 5: no step between two looks at `isFull` may cost more than
 * {@link STEP_WORK_MAX}.
 */
export const TURN_WORK_MAX = 1_000;

/**
 * What a session may do at once, between two looks at `isFull`. What can cost more is cut in
 * pieces, or refused.
 */
export const STEP_WORK_MAX = 2_000;

/** From this length on, a value is not copied: the socket is given the storage's own memory. */
export const LEND_BYTES_MIN = 16 * 1024;

/** A reply up to this length can be taken in one piece; see `Reply.takeShort`. */
const SHORT_BYTES_MAX = 4 * 1024;

/** Text that is before values: see `Reply.lend`. */
export interface Head {
  readonly bytes: Buffer;
  /** The same text, and room behind it for the last word. */
  readonly view: DataView;
}

export function headOf(text: string): Head {
  const bytes = Buffer.from(text, 'latin1');
  return { bytes, view: viewOf(Buffer.concat([bytes], bytes.length + WORDS_SLACK_BYTES)) };
}

const NO_HEAD = headOf('');

/** Memory to send from, such as an `Entry`. */
export interface Lent {
  readonly buffer: Buffer;
  /** The same memory as `buffer`, if there is such a view. */
  readonly view?: DataView | undefined;
  /** Keeps the memory; undefined: the garbage collector does, or it is mapped, and is copied. */
  readonly lease?: Lease | undefined;
}

/** What the socket still reads from: see `Reply.detach`. */
export interface Unsent {
  readonly slab: Buffer;
  readonly leases: readonly Lease[];
}

/**
 * What is to be sent to one client: built by a session, sent by the server, then used for the next
 * client. Small pieces are copied into a slab, large values are lent.
 */
export class Reply {
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #view: DataView = viewOf(this.#slab);
  /** Views of the slab's beginning by their length: making one takes 0.2 µs (2026-11-21). */
  #short: Buffer[] = [];
  /** Where the part of the slab begins that is not yet among the parts. */
  #start = 0;
  #end = 0;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  /** Memory of our own behind the parts, beside the slab. */
  #otherBytes = 0;
  /** Of the lent parts. */
  #leases: Lease[] = [];
  #work = 0;
  readonly #spareSlabs: Buffer[] = [];

  /** Bytes that wait to be sent. */
  get length(): number {
    return this.#partsBytes + this.#end - this.#start;
  }

  /** Memory that the reply keeps until it is sent. What storages have lent is theirs in any case. */
  get heldBytes(): number {
    return this.#slab.length + this.#otherBytes;
  }

  /** Whether the session should stop until this has been sent. */
  get isFull(): boolean {
    return this.length >= REPLY_FULL_BYTES || this.#work >= TURN_WORK_MAX;
  }

  /** The work that was charged since the last `reset` or `detach`. */
  get work(): number {
    return this.#work;
  }

  /** Accounts for work, in the units of {@link TURN_WORK_MAX}. It may leave nothing to send. */
  charge(work: number): void {
    this.#work += work;
  }

  /** Appends text of Latin-1 characters. */
  text(text: string): void {
    this.#reserve(text.length);
    this.#end += this.#slab.write(text, this.#end, 'latin1');
  }

  /** Appends source[start, end) by copy. */
  copy(source: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#end = copyBytes(this.#slab, this.#end, source, start, end);
  }

  /** Appends a non-negative integer in decimal. */
  decimal(value: number): void {
    this.#reserve(digitsOf(value));
    this.#end = writeDecimal(this.#slab, this.#end, value);
  }

  /**
   * Appends the bytes [start, end) of memory that must not change until they are sent.
   *
   * @param head What is before them.
   */
  lend(lent: Lent, start: number, end: number, head = NO_HEAD): void {
    const length = end - start;
    const headBytes = head.bytes.length;
    const { view } = lent;
    if (
      view !== undefined &&
      length <= WORDS_BYTES_MAX &&
      end + WORDS_SLACK_BYTES <= view.byteLength
    ) {
      this.#reserve(headBytes + length + WORDS_SLACK_BYTES);
      copyWords(this.#view, this.#end, head.view, 0, headBytes);
      copyWords(this.#view, this.#end + headBytes, view, start, end);
      this.#end += headBytes + length;
      return;
    }
    const { buffer: source, lease } = lent;
    this.copy(head.bytes, 0, headBytes);
    // An entry that a handler has made of another one may lack its lease.
    if (length < LEND_BYTES_MIN || (lease === undefined && isMapped(source))) {
      this.copy(source, start, end);
      return;
    }
    this.#seal();
    this.#parts.push(source.subarray(start, end));
    this.#partsBytes += length;
    if (lease === undefined) return;
    lease.retain();
    this.#leases.push(lease);
  }

  /** As `lend`, of memory that only this reply keeps: `heldBytes` counts it. */
  give(source: Buffer, start: number, end: number): void {
    if (end - start >= LEND_BYTES_MIN) this.#otherBytes += source.length;
    this.lend({ buffer: source }, start, end);
  }

  /** Takes back all that was appended after the reply was `length` bytes long. */
  truncate(length: number): void {
    if (length >= this.#partsBytes) {
      this.#end = this.#start + length - this.#partsBytes;
      return;
    }
    this.#end = this.#start;
    while (this.#partsBytes > length) {
      const last = this.#parts.pop()!;
      this.#partsBytes -= last.length;
      if (this.#partsBytes < length) {
        this.#parts.push(last.subarray(0, length - this.#partsBytes));
        this.#partsBytes = length;
      }
    }
  }

  /**
   * The pieces to send, in order. Follow it with `reset` when all of it is out, or with `detach`
   * when the socket still reads from it.
   */
  take(): readonly Buffer[] {
    this.#seal();
    return this.#parts;
  }

  /**
   * The reply in one piece if it is short, as `take`; undefined: use `take`.
   */
  takeShort(): Buffer | undefined {
    const length = this.#end;
    // What `truncate` took back may leave a gap at the beginning.
    const isAtStart = this.#parts.length === 0 && this.#start === 0;
    if (length > SHORT_BYTES_MAX || !isAtStart) return undefined;
    this.#short[length] ??= this.#slab.subarray(0, length);
    return this.#short[length];
  }

  /** Makes the reply empty; its memory is used again, and what was lent is given back. */
  reset(): void {
    this.#empty();
    if (this.#leases.length === 0) return;
    releaseAll(this.#leases);
    this.#leases = [];
  }

  /**
   * Makes the reply empty on other memory: the socket still reads from what `take` gave.
   *
   * @returns What to give to `reuse` when the socket is done with it.
   */
  detach(): Unsent {
    const unsent = { slab: this.#slab, leases: this.#leases };
    this.#leases = [];
    this.#use(this.#spareSlabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES));
    this.#empty();
    return unsent;
  }

  /** Takes memory back that `detach` gave. */
  reuse({ slab, leases }: Unsent): void {
    releaseAll(leases);
    const isWanted = slab.length === SLAB_BYTES && this.#spareSlabs.length < SPARE_SLABS_MAX;
    if (isWanted) this.#spareSlabs.push(slab);
  }

  #empty(): void {
    if (this.#parts.length > 0) this.#parts = [];
    this.#partsBytes = 0;
    this.#otherBytes = 0;
    this.#work = 0;
    this.#start = 0;
    this.#end = 0;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#slab.length) return;
    // The sealed part keeps the old slab alive until it is sent.
    this.#seal();
    this.#otherBytes += this.#slab.length;
    this.#use(Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes)));
    this.#start = 0;
    this.#end = 0;
  }

  #use(slab: Buffer): void {
    this.#slab = slab;
    this.#view = viewOf(this.#slab);
    this.#short = [];
  }

  #seal(): void {
    if (this.#end === this.#start) return;
    this.#parts.push(this.#slab.subarray(this.#start, this.#end));
    this.#partsBytes += this.#end - this.#start;
    this.#start = this.#end;
  }
}

function releaseAll(leases: readonly Lease[]): void {
  for (const lease of leases) lease.release();
}
