import net from 'node:net';
import { type Address, formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { openTableFile } from '../../inspect/open-table.ts';
import { printable } from '../../storage/scanners/name-list.ts';
import type { Storage } from '../../storage/storage.ts';

/** Keys of one request, and about how many bytes of values. */
const KEYS_AT_ONCE = 100;
const VALUE_BYTES_AT_ONCE = 256 * 1024;
/** What a node may take for one request. */
const ANSWER_MS_MAX = 30_000;

/** Some keys, and the reply that all nodes owe. */
interface Batch {
  readonly keys: readonly Buffer[];
  readonly reply: Buffer;
}

/**
 * Asks every node for every key of some tables, by Redis' protocol, which takes any key.
 *
 * @returns How many keys were asked of each, and one that can be typed, if there is one.
 * @throws GoromdbError SERVER_FAILED at the first answer that is another one, or is none.
 */
export async function checkAnswers(
  tables: readonly string[],
  nodes: readonly Address[],
  signal: AbortSignal,
): Promise<{ readonly keys: number; readonly example: string | undefined }> {
  const askers = nodes.map((address) => new Asker(address));
  let keys = 0;
  let example: string | undefined;
  try {
    for (const table of tables) {
      const storage = await openTableFile(table);
      try {
        let cursor = 0;
        do {
          const found = batchOf(storage, cursor);
          cursor = found.cursor;
          keys += found.keys.length;
          example ??= found.keys.map(String).find((key) => /^[\w:.-]{1,40}$/.test(key));
          if (found.keys.length > 0) await Promise.all(askers.map((asker) => asker.check(found)));
        } while (cursor !== 0 && !signal.aborted);
      } finally {
        storage.close();
      }
    }
    return { keys, example };
  } finally {
    for (const asker of askers) asker.close();
  }
}

function batchOf(table: Storage, from: number): Batch & { readonly cursor: number } {
  const keys: Buffer[] = [];
  const parts: Buffer[] = [];
  let bytes = 0;
  const cursor = table.scan!(
    from,
    KEYS_AT_ONCE,
    (key, start, end, { buffer, valueStart, valueEnd }) => {
      keys.push(Buffer.from(key.subarray(start, end)));
      bytes += valueEnd - valueStart;
      parts.push(
        Buffer.from(`$${valueEnd - valueStart}\r\n`),
        Buffer.from(buffer.subarray(valueStart, valueEnd)),
        Buffer.from('\r\n'),
      );
      return bytes < VALUE_BYTES_AT_ONCE;
    },
  );
  return { keys, reply: Buffer.concat([Buffer.from(`*${keys.length}\r\n`), ...parts]), cursor };
}

/** A connection to one node. */
class Asker {
  readonly #address: Address;
  readonly #socket: net.Socket;
  #compare: (piece: Buffer) => void = () => {};
  #fail: (error: Error) => void = () => {};

  constructor(address: Address) {
    this.#address = address;
    this.#socket =
      address.kind === 'unix'
        ? net.connect(address.path)
        : net.connect(address.port, address.host ?? 'localhost');
    this.#socket.on('data', (piece) => this.#compare(piece));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('it has closed the connection')));
    this.#socket.setTimeout(ANSWER_MS_MAX, () => {
      this.#socket.destroy(new Error(`it did not answer within ${ANSWER_MS_MAX / 1000} s`));
    });
  }

  async check({ keys, reply }: Batch): Promise<void> {
    const parts = ['MGET', ...keys].flatMap((part) => [
      Buffer.from(`$${Buffer.byteLength(part)}\r\n`),
      Buffer.from(part as Buffer),
      Buffer.from('\r\n'),
    ]);
    const request = Buffer.concat([Buffer.from(`*${keys.length + 1}\r\n`), ...parts]);
    try {
      await this.#expect(request, reply);
    } catch (cause) {
      const asked = printable(keys[0].toString());
      const message = `${formatAddress(this.#address)}, asked for ${keys.length} keys from ${asked}: ${messageOf(cause)}`;
      throw new GoromdbError('SERVER_FAILED', message, { cause });
    }
  }

  #expect(request: Buffer, reply: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      let at = 0;
      this.#fail = reject;
      this.#compare = (piece) => {
        const expected = reply.subarray(at, at + piece.length);
        if (!expected.equals(piece)) {
          const found = printable(piece.subarray(0, 200).toString());
          reject(new Error(`expected the values of the table, found ${found}`));
        }
        at += piece.length;
        if (at === reply.length) resolve();
      };
      if (this.#socket.destroyed) reject(new Error('the connection is closed'));
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#fail = () => {};
    this.#socket.destroy();
  }
}
