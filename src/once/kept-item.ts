import type { CachedItem, Item } from './once.ts';

/**
 * What the cache keeps of a key: its value with what memcached says in front of it and behind it, so that
 * an answer is one piece; in memory of its own, since a small part of a larger buffer keeps all of that.
 */
export class KeptItem implements CachedItem {
  readonly record: Buffer;
  readonly valueStart: number;
  readonly flags: number;
  readonly type: string;
  readonly revision: number;

  /** @param name The bytes of the key, one character each. */
  constructor(name: string, { value, flags, type, revision }: Item) {
    const head = `${name} ${flags} ${value.length}\r\n`;
    this.valueStart = head.length;
    this.record = Buffer.allocUnsafeSlow(head.length + value.length + '\r\n'.length);
    this.record.write(head, 'latin1');
    this.record.set(value, head.length);
    this.record.write('\r\n', head.length + value.length, 'latin1');
    this.flags = flags;
    this.type = type;
    this.revision = revision;
  }

  get valueEnd(): number {
    return this.record.length - '\r\n'.length;
  }

  get value(): Buffer {
    return this.record.subarray(this.valueStart, this.valueEnd);
  }
}
