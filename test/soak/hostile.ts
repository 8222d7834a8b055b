import net from 'node:net';
import type { Address } from '../../src/common/address.ts';
import type { Random } from '../support/random-bytes.ts';
import { KEYS, keyOf } from './files.ts';
import { sleep } from './load.ts';

/** Ways to misbehave on a connection. */
const WAYS: readonly ((socket: net.Socket, random: Random) => void | Promise<void>)[] = [
  // Noise, in all protocols.
  (socket, random) => void socket.write(random.bytes(1 + random.below(5_000))),
  // The beginning of a request, and then a reset.
  (socket) => void socket.write('get soak:1 soak', () => socket.resetAndDestroy()),
  // Asks for much and reads nothing.
  (socket) => {
    socket.pause();
    const keys = Array.from({ length: 2_000 }, (_, i) => keyOf((i * 500) % KEYS)).join(' ');
    for (let i = 0; i < 5; i++) socket.write(`get ${keys}\r\n`);
  },
  // A byte at a time.
  async (socket) => {
    for (const byte of 'get soak:1\r\n') {
      socket.write(byte);
      await sleep(20);
    }
  },
  // Writes, with data that look like commands.
  (socket) => void socket.write('set a 0 0 12\r\nshutdown\r\nxx\r\nflush_all\r\nshutdown\r\n'),
  // Lengths that cannot be.
  (socket) => void socket.write('*2147483647\r\n$99999999999\r\n'),
  (socket) => void socket.write(Buffer.concat([Buffer.from([0x80, 0]), Buffer.alloc(22, 0xff)])),
  // A line without an end.
  (socket) => void socket.write(`get ${'k'.repeat(2_000_000)}`),
];

/** Some connections at once that misbehave, each in its way, and are gone after a while. */
export async function misbehave(address: Address, random: Random): Promise<void> {
  if (address.kind !== 'tcp') return;
  const count = 1 + random.below(20);
  await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = net.connect(address.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('data', () => {});
      try {
        const misbehaveIn = WAYS[random.below(WAYS.length)];
        await misbehaveIn(socket, random);
        await sleep(random.below(500));
      } finally {
        socket.destroy();
      }
    }),
  );
}
