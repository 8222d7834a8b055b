/** Swaps of tables under clients that stall in the middle of large values, in a real process. */

import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { askServer } from '../../src/control/control-client.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { moduleUrl } from '../support/mortal.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableBytes } from '../support/table-bytes.ts';

const SWAPS = Number(process.env.SWAPS ?? 200);
/** Between two swaps, unless the machine is slower. */
const SWAP_EACH_MS = 100;
/** New files are loaded in this part of the swaps; the others go back and forth, which takes less. */
const SWAPS_A_DROP = 3;
/** A server whose threads die more often than ten times a minute ends itself. */
const SWAPS_A_DEATH = 100;
/** Different tables, made once and dropped in turn: the same one would not be loaded again. */
const VERSIONS = 4;
/** More than the system keeps of a connection: the rest of a reply waits in the table itself. */
const VALUE_BYTES = 6_000_000;
const KEYS = ['a', 'b'];
/**
 * Between two pieces that a client reads. The slow ones are not done after two swaps, when nothing but
 * their reply holds the table: they are cut off later, and what they got until then must be right.
 */
const PAUSES_MS = [1, 25];

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
      ...{ file, storage: 'table', threads: Number(threads), protocol },
      limits: { staleTimeoutMs: 1000 },
      logger: createLineLogger((line) => process.stderr.write(line)),
    });
    process.once('SIGTERM', () => void goromdb.close());
    await goromdb.done;
    process.exit(0);`;
  return fileURLToPath(moduleUrl(text));
}

function version(number: number): Promise<Buffer> {
  const fill = String.fromCharCode(97 + number);
  return tableBytes(KEYS.map((key) => [key, key + fill.repeat(VALUE_BYTES)]));
}

/** Whether a value, or the first part of one, is the key and then one letter, the same throughout. */
function isRight(key: string, value: Buffer): boolean {
  const [first, letter] = value;
  return value.length < 2 || (first === key.charCodeAt(0) && isFilled(value.subarray(1), letter));
}

function isFilled(bytes: Buffer, letter: number): boolean {
  return bytes.equals(Buffer.alloc(bytes.length, letter));
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

/** Asks over and over. @returns How many values came whole. */
async function readOn(address: Address, number: number, isOver: () => boolean): Promise<number> {
  const pauseMs = PAUSES_MS[number % PAUSES_MS.length];
  let whole = 0;
  for (let round = 0; !isOver(); round++) {
    const key = KEYS[(number + round) % KEYS.length];
    const { request, valueStart } = ASKS[(number >> 1) % ASKS.length](key);
    const value = await readOne(address, request, valueStart, pauseMs);
    if (!isRight(key, value))
      throw new Error(`${value.length} bytes of ${key} are of several tables`);
    if (value.length === VALUE_BYTES + 1) whole++;
  }
  return whole;
}

/** @returns What came of the value: not all of it where the connection was cut. */
function readOne(
  address: Address,
  request: Buffer,
  valueStart: (reply: Buffer) => number,
  pauseMs: number,
): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = net.connect((address as { port: number }).port, '127.0.0.1');
    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      socket.pause();
      void setTimeout(pauseMs).then(() => socket.resume());
      if (bytes >= VALUE_BYTES + 1 + valueStart(chunks[0])) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      const start = chunks.length === 0 ? 0 : valueStart(chunks[0]);
      resolve(Buffer.concat(chunks).subarray(start, start + VALUE_BYTES + 1));
    });
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

/** Goes back, as soon as the last load is wound up. */
async function rollBack(folder: string): Promise<void> {
  const ask = (): Promise<boolean> =>
    askServer(folder, { command: 'rollback' }, PATIENCE_MS).then(
      () => true,
      () => false,
    );
  await expect.poll(ask, { interval: 10 }).toBe(true);
}

function mapsOf(pid: number, folder: string): number {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('-lock')).length;
}

test('a client that stalled while two new tables came gets all of its value, or is disconnected as stale', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  drop(file, await version(1));
  const goromdb = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file]);
  const address = await goromdb.address();
  await goromdb.says(/generation 1 serves/);
  const socket = net.connect((address as { port: number }).port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.pause();
  socket.write('get a\r\n');
  await expect
    .poll(async () => (await RawClient.connect(address)).ask('stats conns\r\n', 'END\r\n'))
    .toContain(':state conn_write\r\n');
  for (const generation of [2, 3]) {
    drop(file, JSON.stringify({ a: String(generation) }));
    await goromdb.says(new RegExp(`generation ${generation} serves`));
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  const isOver = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= lineEnd(chunks[0]) + VALUE_BYTES + 1) resolve();
    });
  });
  socket.resume();
  await isOver;
  const start = lineEnd(chunks[0]);
  const value = Buffer.concat(chunks).subarray(start, start + VALUE_BYTES + 1);
  expect(isRight('a', value)).toBe(true);
  const stats = await (await RawClient.connect(address)).ask('stats\r\n', 'END\r\n');
  const isCut = /^STAT stale_kicks [1-9]/m.test(stats);
  // A system call that reads from memory which was unmapped ends the connection as well.
  expect(value.length === VALUE_BYTES + 1 || isCut).toBe(true);
});

test.each([1, 3])(
  `no table is unmapped under a reply, over ${SWAPS} swaps and dying threads, with %i threads`,
  async (threads) => {
    const folder = temporaryFolder();
    const file = join(folder, 'data.json');
    const versions = await Promise.all(Array.from({ length: VERSIONS }, (_, i) => version(i)));
    const sums = versions.map(md5);
    const dropVersion = (number: number): void =>
      drop(file, versions[number % VERSIONS], sums[number % VERSIONS]);
    dropVersion(1);
    const goromdb = new GoromdbProcess([file, String(threads), mortal()], program());
    const address = await goromdb.address();
    await goromdb.says(/generation 1 serves/);
    let isOver = false;
    onTestFinished(() => {
      isOver = true;
    });
    const readers = Array.from({ length: 8 }, (_, i) => readOn(address, i, () => isOver));
    const stalled: (() => void)[] = [];
    for (let generation = 2; generation <= SWAPS + 1; generation++) {
      stalled.push(stall(address, generation));
      if (stalled.length > 6) stalled.shift()!();
      if (generation % SWAPS_A_DEATH === 5) {
        const killer = net.connect((address as { port: number }).port, '127.0.0.1');
        killer.on('error', () => {});
        killer.write('get die:now\r\n');
      }
      const pause = setTimeout(SWAP_EACH_MS);
      if (generation % SWAPS_A_DROP === 2) dropVersion(generation);
      else await rollBack(folder);
      await Promise.race([
        goromdb.says(new RegExp(`generation ${generation} serves`)),
        ...readers.map((reader) => reader.then(() => new Promise(() => {}))),
      ]);
      goromdb.stderr = '';
      await pause;
    }
    isOver = true;
    const whole = await Promise.all(readers);
    expect(whole.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
    for (const end of stalled) end();
    await expect.poll(() => mapsOf(goromdb.child.pid!, folder)).toBe(2);
    expect(await goromdb.kill('SIGTERM')).toBe(0);
  },
  600_000 + SWAPS * 5_000,
);
