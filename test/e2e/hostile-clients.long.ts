import type net from 'node:net';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Random } from '../support/random-bytes.ts';
import { block, RECORDS, readToEnd, TRANSPORTS, Victim } from '../support/victim.ts';

const MIB = 1024 * 1024;

/** Sends the same bytes to all, one at a time. */
async function sendSlowly(sockets: readonly net.Socket[], text: string): Promise<void> {
  for (const byte of text) {
    for (const socket of sockets) socket.write(byte, 'latin1');
    await turn();
  }
}

/** Sends a piece so many times, each when the one before is out: this thread has other clients too. */
async function pour(socket: net.Socket, piece: Buffer, times: number): Promise<void> {
  for (let i = 0; i < times && !socket.destroyed; i++) {
    if (socket.write(piece)) continue;
    await new Promise<unknown>((resolve) => socket.once('drain', resolve).once('close', resolve));
  }
}

/** What a garbage client sends first, by which the server chooses a protocol. */
const BEGINNINGS = {
  text: ['', 'get ', 'gets plain ', 'set plain 0 0 100\r\n', 'mg ', 'GET / HTTP/1.1\r\n', '\r\n'],
  binary: ['\x80', '\x80\x00', '\x80\x01\x00\xff', '\x81', `\x80\x09${'\x00'.repeat(22)}`],
  redis: [
    '*',
    '*3\r\n',
    '*1\r\n$',
    '*-1\r\n',
    '*1000000\r\n$3\r\nGET\r\n',
    '*2\r\n$1000000000\r\n',
  ],
} as const;

test('a line of 1 MiB of keys is answered, and longer ones end their connections', async () => {
  const victim = await Victim.start();
  const longest = `get ${'none '.repeat(MIB / 5)}`.slice(0, MIB - ' plain\r'.length);
  await victim.endures(160 * MIB, async () => {
    const asking = await victim.attackers(20);
    const replies = asking.map(readToEnd);
    for (const socket of asking) socket.end(`${longest} plain\r\n`);
    const expected = `${block('plain')}END\r\n`;
    expect(new Set(await Promise.all(replies))).toEqual(new Set([expected]));
    // 20 × 16 MiB of a line that never ends.
    const beyond = await victim.attackers(20);
    const ends = beyond.map(readToEnd);
    const piece = Buffer.from('none '.repeat(MIB / 5));
    for (const socket of beyond) {
      socket.write('get ');
      void pour(socket, piece, 16);
    }
    for (const end of await Promise.all(ends)) expect(end).toMatch(/^(CLIENT_ERROR .*\r\n)?$/);
  });
});

test('many hits in one line are built only as they are read', async () => {
  const victim = await Victim.start();
  // Each asks for some 200 MiB in 140 KiB. Two read some of it, the others nothing.
  const request = `get${' middle'.repeat(20_000)}\r\n`;
  const bytesToRead = 50 * MIB;
  await victim.endures(64 * MIB, async () => {
    const sockets = await victim.attackers(20);
    for (const socket of sockets) socket.write(request);
    const readSome = async (socket: net.Socket): Promise<number> => {
      let bytes = 0;
      for await (const chunk of socket) {
        bytes += (chunk as Buffer).length;
        if (bytes > bytesToRead) break;
      }
      return bytes;
    };
    for (const bytes of await Promise.all(sockets.slice(0, 2).map(readSome))) {
      expect(bytes).toBeGreaterThan(bytesToRead);
    }
  });
});

test('a set of 64 MiB is refused when all of it has come, and the connection goes on', async () => {
  const victim = await Victim.start();
  await victim.endures(96 * MIB, async () => {
    const socket = await victim.attacker();
    const reply = readToEnd(socket);
    socket.write(`set plain 0 0 ${64 * MIB}\r\n`);
    socket.write(Buffer.alloc(64 * MIB, 'x'));
    socket.end('\r\nget plain\r\n');
    expect(await reply).toBe(`NOT_STORED\r\n${block('plain')}END\r\n`);
  });
});

describe.each(TRANSPORTS)('over %s', (transport) => {
  test('clients that send a byte at a time are answered, and hold little until then', async () => {
    const victim = await Victim.startOver(transport);
    const keys = 'none '.repeat(20);
    await victim.endures(64 * MIB, async () => {
      const readers = await victim.attackers(50);
      const writers = await victim.attackers(50);
      const replies = [...readers, ...writers].map(readToEnd);
      await sendSlowly(readers, `get ${keys} plain\r\n`);
      await sendSlowly(writers, 'set plain 0 0 40\r\n');
      await sendSlowly(writers, `${'x'.repeat(40)}\r\n`);
      for (const socket of readers) socket.end();
      for (const socket of writers) socket.end();
      const expected = [...readers.map(() => `${block('plain')}END\r\n`)];
      expected.push(...writers.map(() => 'NOT_STORED\r\n'));
      expect(await Promise.all(replies)).toEqual(expected);
      // And those that never come to the end of a line.
      const never = await victim.attackers(200);
      await sendSlowly(never, 'get plain no');
      await victim.hasAttackers(never.length);
    });
  });

  // 24 MiB or more for each client: the kernel takes less for one that does not read.
  test.each([
    ['large values', 'get large\r\n', 50, 50],
    ['values of 10 kB', 'get middle\r\n', 3_000, 20],
    ['small values', `get${' plain'.repeat(100)}\r\n`, 10_000, 4],
  ])(
    'clients that ask for many %s and never read are cut off',
    async (_, request, times, count) => {
      const victim = await Victim.startOver(transport, '-stall-timeout', '1s', '-threads', '2');
      const requests = Buffer.from(request.repeat(times));
      await victim.endures(128 * MIB, async () => {
        const sockets = await victim.attackers(count);
        // Before they ask: while the server answers, the first ones may be cut off already.
        await victim.hasAttackers(sockets.length);
        for (const socket of sockets) socket.write(requests);
        // All by itself: they still do nothing.
        await victim.hasAttackers(0);
      });
    },
  );

  test('a client that reads slowly gets everything that it asked for', async () => {
    const victim = await Victim.startOver(transport, '-stall-timeout', '1s');
    await victim.endures(64 * MIB, async () => {
      const times = 8;
      const socket = await victim.attacker();
      socket.end('get large\r\n'.repeat(times));
      let bytes = 0;
      for await (const chunk of socket) {
        bytes += (chunk as Buffer).length;
        // All of it takes longer than a client may stall.
        await delay(10);
      }
      expect(bytes).toBe(times * (block('large').length + 'END\r\n'.length));
    });
  });

  test('unfinished requests of all clients together have a limit', async () => {
    const victim = await Victim.startOver(transport, '-buffer-limit', '16MiB');
    const unfinished = Buffer.from(`get ${'none '.repeat(200_000)}`.slice(0, MIB));
    await victim.endures(128 * MIB, async () => {
      const sockets = await victim.attackers(200);
      const cut = sockets.map(readToEnd);
      for (const socket of sockets) socket.write(unfinished);
      // Room for 16 of them at most.
      let ended = 0;
      for (const end of cut) void end.then(() => ended++);
      await expect.poll(() => ended).toBeGreaterThanOrEqual(184);
    });
  });

  test('a set that announces 2 GiB is swallowed and not kept', async () => {
    const victim = await Victim.startOver(transport);
    const piece = Buffer.alloc(MIB, 'x');
    await victim.endures(96 * MIB, async () => {
      // All are connected before any of them sends: to encrypt so much keeps this thread from a handshake.
      const [binary, ...sockets] = await victim.attackers(5);
      for (const [at, socket] of sockets.entries()) {
        socket.write(at % 2 === 0 ? 'set plain 0 0 2147483645\r\n' : 'ms plain 2147483645\r\n');
      }
      // In the binary protocol the length of the whole request says it.
      const header = Buffer.alloc(32);
      header.set([0x80, 0x01, 0, 5, 8]);
      header.writeUInt32BE(2 ** 31 - 1, 8);
      binary.write(header);
      for (const socket of [binary, ...sockets]) void pour(socket, piece, 64);
      const total = 5 * 64 * MIB;
      const taken = async (): Promise<number> => Number((await victim.stats()).bytes_read);
      await expect.poll(taken).toBeGreaterThanOrEqual(total);
      await victim.hasAttackers(5);
    });
  });

  test.each(Object.entries(BEGINNINGS))('garbage as from a %s client', async (kind, beginnings) => {
    const victim = await Victim.startOver(transport);
    const random = new Random(kind.length);
    await victim.endures(96 * MIB, async () => {
      const sockets = await victim.attackers(300);
      const ends = sockets.map(readToEnd);
      for (const [at, socket] of sockets.entries()) {
        socket.write(beginnings[at % beginnings.length], 'latin1');
        const bytes = random.bytes(random.below(4_000));
        // Half of it in lines, for a text parser to get further.
        if (at % 2 === 0)
          for (let i = 0; i < bytes.length; i += 1 + random.below(60)) bytes[i] = 10;
        socket.end(bytes);
      }
      // Their side has ended: the server must end its own, too.
      await Promise.all(ends);
      await victim.hasAttackers(0);
    });
  });
});

test('clients that read nothing of a huge value cost what one piece of it does, over TLS', async () => {
  // What is encrypted cannot be lent: 20 replies of 32 MiB must not be there at once.
  const huge = 'h'.repeat(32 * MIB);
  const victim = await Victim.startWith({ ...RECORDS, huge }, 'TLS', []);
  // The pages of the value itself are the page cache's, and resident once they are read.
  await victim.reads('huge', huge.length);
  await victim.endures(96 * MIB, async () => {
    const sockets = await victim.attackers(20);
    for (const socket of sockets) socket.write('get huge\r\n');
    const asked = async (): Promise<number> => Number((await victim.stats()).bytes_written);
    await expect.poll(asked).toBeGreaterThan(20 * huge.length);
    await victim.hasAttackers(sockets.length);
  });
});
