/** Swaps of tables under clients that stall in the middle of large values, in a real process. */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/server/address.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { moduleUrl } from '../support/mortal.ts';

/** `SWAPS=3000 npx vitest run test/e2e/map-lifetime.test.ts` goes on for some minutes. */
const SWAPS = Number(process.env.SWAPS ?? 30);
const VALUE_BYTES = 3_000_000;
const KEYS = ['a', 'b', 'c', 'd'];

/** All protocols, and a key that ends the thread in the middle of what it does. */
const mortal = (): string =>
  moduleUrl(`
    import { detectingProtocol } from '$goromdb';
    export default {
      name: 'mortal',
      createSession: (context) => {
        const session = detectingProtocol.createSession(context);
        return {
          get state() { return session.state; },
          get isSuspended() { return session.isSuspended; },
          get heldBytes() { return session.heldBytes; },
          receive: (input, start, end, reply) => {
            if (input.toString('latin1', start, start + 12) === 'get die:now\\r') process.exit(7);
            return session.receive(input, start, end, reply);
          },
          close: () => session.close(),
        };
      },
    };`);

/** A program that serves by that protocol: the command line takes only those that are built in. */
function program(): string {
  const text = `
    import process from 'node:process';
    import { createLineLogger, parseAddress, startGoromdb } from '$goromdb';
    const [file, threads, protocol] = process.argv.slice(2);
    const goromdb = await startGoromdb({
      address: parseAddress('127.0.0.1:0'),
      ...{ file, storage: 'json', threads: Number(threads), protocol },
      limits: { staleTimeoutMs: 1000 },
      logger: createLineLogger((line) => process.stderr.write(line)),
    });
    process.once('SIGTERM', () => void goromdb.close());
    await goromdb.done;
    process.exit(0);`;
  return fileURLToPath(moduleUrl(text));
}

function version(number: number): string {
  const fill = String.fromCharCode(97 + (number % 26));
  return JSON.stringify(
    Object.fromEntries(KEYS.map((key) => [key, key + fill.repeat(VALUE_BYTES)])),
  );
}

/** Whether the bytes of a value are the key and then one letter, the same throughout. */
function isWhole(key: string, value: Buffer): boolean {
  if (value.length !== VALUE_BYTES + 1 || value[0] !== key.charCodeAt(0)) return false;
  const [, letter] = value;
  return value.subarray(1).every((byte) => byte === letter);
}

type Ask = (key: string) => {
  readonly request: Buffer;
  readonly valueStart: (reply: Buffer) => number;
};

const lineEnd = (reply: Buffer): number => reply.indexOf('\r\n') + 2;
const binaryGet = (key: string): Buffer => {
  const request = Buffer.alloc(24 + key.length);
  request[0] = 0x80;
  request[3] = key.length;
  request[11] = key.length;
  request.write(key, 24);
  return request;
};
const ASKS: readonly Ask[] = [
  (key) => ({ request: Buffer.from(`get ${key}\r\n`), valueStart: lineEnd }),
  (key) => ({ request: Buffer.from(`mg ${key} v\r\n`), valueStart: lineEnd }),
  (key) => ({ request: Buffer.from(`*2\r\n$3\r\nGET\r\n$1\r\n${key}\r\n`), valueStart: lineEnd }),
  (key) => ({ request: binaryGet(key), valueStart: () => 28 }),
];

/** Asks over and over, and reads its replies in small pieces with pauses. @returns How many were whole. */
async function readSlowly(
  address: Address,
  number: number,
  isOver: () => boolean,
): Promise<number> {
  let whole = 0;
  while (!isOver()) {
    const key = KEYS[(number + whole) % KEYS.length];
    const { request, valueStart } = ASKS[number % ASKS.length](key);
    const reply = await readOne(address, request, valueStart);
    // A thread that died took its connections with it.
    if (reply === undefined) continue;
    if (!isWhole(key, reply)) throw new Error(`a value of ${key} is not whole`);
    whole++;
  }
  return whole;
}

function readOne(
  address: Address,
  request: Buffer,
  valueStart: (reply: Buffer) => number,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect((address as { port: number }).port, '127.0.0.1');
    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 1);
      if (bytes < VALUE_BYTES + 1 + valueStart(chunks[0])) return;
      const start = valueStart(chunks[0]);
      resolve(Buffer.concat(chunks).subarray(start, start + VALUE_BYTES + 1));
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(undefined));
  });
}

/** Asks for all and reads nothing; some end by a reset. */
function stall(address: Address, number: number): () => void {
  const socket = net.connect((address as { port: number }).port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(`get ${KEYS.join(' ')}\r\n`);
  return () => (number % 2 === 0 ? socket.destroy() : socket.resetAndDestroy());
}

function mapsOf(pid: number, folder: string): number {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('-lock')).length;
}

test.each([1, 3])(
  `no table is unmapped under a reply, over ${SWAPS} swaps and dying threads, with %i threads`,
  async (threads) => {
    const folder = temporaryFolder();
    const file = join(folder, 'data.json');
    drop(file, version(1));
    const goromdb = new GoromdbProcess([file, String(threads), mortal()], program());
    const address = await goromdb.address();
    await goromdb.says(/generation 1 serves/);
    let isOver = false;
    onTestFinished(() => {
      isOver = true;
    });
    const readers = Array.from({ length: 8 }, (_, i) => readSlowly(address, i, () => isOver));
    const stalled: (() => void)[] = [];
    for (let generation = 2; generation <= SWAPS + 1; generation++) {
      stalled.push(stall(address, generation));
      if (stalled.length > 6) stalled.shift()!();
      if (generation % 10 === 0) {
        const killer = net.connect((address as { port: number }).port, '127.0.0.1');
        killer.on('error', () => {});
        killer.write('get die:now\r\n');
      }
      drop(file, version(generation));
      await Promise.race([
        goromdb.says(new RegExp(`generation ${generation} serves`)),
        ...readers.map((reader) => reader.then(() => new Promise(() => {}))),
      ]);
    }
    isOver = true;
    const whole = await Promise.all(readers);
    expect(whole.reduce((sum, count) => sum + count)).toBeGreaterThan(SWAPS / 4);
    for (const end of stalled) end();
    await expect.poll(() => mapsOf(goromdb.child.pid!, folder), { timeout: 20_000 }).toBe(2);
    expect(await goromdb.kill('SIGTERM')).toBe(0);
  },
  600_000,
);
