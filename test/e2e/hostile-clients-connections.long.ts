import type net from 'node:net';
import { describe, expect, test } from 'vitest';
import { Random } from '../support/random-bytes.ts';
import { block, readToEnd, reset, TRANSPORTS, Victim } from '../support/victim.ts';
import { descriptorsMax } from '../support/vitals.ts';

const MIB = 1024 * 1024;
const PLAIN = `${block('plain')}END\r\n`;

/** Connections that the crowd has where the system allows it, and without which it is no crowd. */
const CROWD = 10_000;
const CROWD_MIN = 500;

/** Descriptors that this process and the server need for anything else. */
const OTHER_DESCRIPTORS = 200;

function resetAll(sockets: readonly net.Socket[]): void {
  for (const socket of sockets) reset(socket);
}

test('10,000 idle connections cost little and slow nobody down', async () => {
  // As many as the limit of descriptors allows (`ulimit -n`).
  const count = Math.min(CROWD, descriptorsMax() - OTHER_DESCRIPTORS);
  expect(count, 'connections that `ulimit -n` allows').toBeGreaterThanOrEqual(CROWD_MIN);
  const victim = await Victim.start('-conn-limit', `${count + 100}`, '-threads', '2');
  const bytesEach = 16 * 1024;
  await victim.endures(32 * MIB + count * bytesEach, async () => {
    const crowd = await victim.attackers(count);
    // Every other one has begun a request.
    for (const [at, socket] of crowd.entries()) if (at % 2 === 0) socket.write('get pl');
    await victim.hasAttackers(count);
    const answers = crowd.slice(0, 200).map(readToEnd);
    for (const [at, socket] of crowd.slice(0, 200).entries()) {
      socket.end(at % 2 === 0 ? 'ain\r\n' : 'get plain\r\n');
    }
    expect(new Set(await Promise.all(answers))).toEqual(new Set([PLAIN]));
    await victim.hasAttackers(count - 200);
  });
});

describe.each(TRANSPORTS)('over %s', (transport) => {
  test('connections that end their side are answered and closed', async () => {
    const victim = await Victim.startOver(transport);
    await victim.endures(64 * MIB, async () => {
      const endings: readonly (readonly [sent: string, answer: string])[] = [
        ['', ''],
        ['get plain\r\n', PLAIN],
        ['get plain\r\nget pla', PLAIN],
        ['set plain 0 0 10\r\nxxx', ''],
        ['set plain 0 0 5\r\nother\r\nget plain\r\n', `NOT_STORED\r\n${PLAIN}`],
        ['\x80', ''],
        ['mg plain v', ''],
      ];
      for (const [sent, answer] of endings) {
        const sockets = await victim.attackers(30);
        const replies = sockets.map(readToEnd);
        for (const socket of sockets) socket.end(sent, 'latin1');
        expect(new Set(await Promise.all(replies)), sent).toEqual(new Set([answer]));
      }
      // Closed by the server too: of these clients, none has.
      await victim.hasAttackers(0);
    });
  });

  test('connections that are reset in the middle of a reply', async () => {
    const victim = await Victim.startOver(transport);
    await victim.endures(128 * MIB, async () => {
      for (let round = 0; round < 5; round++) {
        const sockets = await victim.attackers(40);
        await Promise.all(
          sockets.map(async (socket) => {
            socket.write('get large middle plain\r\n'.repeat(20));
            await new Promise((resolve) => socket.once('readable', resolve));
            reset(socket);
          }),
        );
      }
      await victim.hasAttackers(0);
    });
  });
});

test('clients that do nothing but connect and go', async () => {
  const victim = await Victim.start();
  await victim.endures(64 * MIB, async () => {
    for (let round = 0; round < 15; round++) {
      const sockets = await victim.attackers(100);
      for (const [at, socket] of sockets.entries()) {
        if (at % 4 === 0) reset(socket);
        else if (at % 4 === 1) socket.destroy();
        else if (at % 4 === 2) socket.write('get plain\r\n', () => socket.destroy());
        else socket.end('quit\r\n').resume();
      }
    }
    await victim.hasAttackers(0);
    expect(Number((await victim.stats()).total_connections)).toBeGreaterThanOrEqual(1_500);
  });
});

test('what comes after quit is neither answered nor kept', async () => {
  const victim = await Victim.start();
  const after = Buffer.from('get plain\r\n'.repeat(100_000));
  await victim.endures(64 * MIB, async () => {
    const sockets = await victim.attackers(50);
    const replies = sockets.map(readToEnd);
    for (const socket of sockets) {
      socket.write('get plain\r\nquit\r\nget plain\r\n');
      socket.write(after);
    }
    // A client that still writes when the server closes is reset, and may not read what it was sent.
    const read = new Set(await Promise.all(replies));
    read.delete('');
    expect(read).toEqual(new Set([PLAIN]));
    await victim.hasAttackers(0);
  });
});

test('idle connections are closed, and busy ones are not', async () => {
  const victim = await Victim.start('-idle-timeout', '3s');
  await victim.endures(64 * MIB, async () => {
    const silent = await victim.attackers(50);
    const once = await victim.attackers(50);
    const replies = [...silent, ...once].map(readToEnd);
    for (const socket of once) socket.write('get plain\r\nget pl');
    const expected = [...silent.map(() => ''), ...once.map(() => PLAIN)];
    // Asking all the while: the one that watches must not be idle either.
    await victim.hasAttackers(0);
    expect(await Promise.all(replies)).toEqual(expected);
  });
});

test('connections above the limit get an error and are closed', async () => {
  // The attackers, the good client and the one that watches.
  const victim = await Victim.start('-conn-limit', '50');
  await victim.endures(64 * MIB, async () => {
    const inside = await victim.attackers(48);
    await victim.hasAttackers(48);
    const outside = await victim.attackers(500);
    const said = await Promise.all(outside.map(readToEnd));
    expect(new Set(said)).toEqual(new Set(['ERROR Too many open connections\r\n']));
    expect((await victim.stats()).rejected_connections).toBe('500');
    const replies = inside.map(readToEnd);
    for (const socket of inside) socket.end('get plain\r\n');
    expect(new Set(await Promise.all(replies))).toEqual(new Set([PLAIN]));
    await victim.hasAttackers(0);
    // There is room again.
    const next = await victim.attackers(48);
    await victim.hasAttackers(48);
    resetAll(next);
  });
});

test('garbage, plain text and silence on a port that speaks TLS', async () => {
  const victim = await Victim.startOver('TLS');
  const random = new Random(1);
  // A record of a handshake, of which nothing more comes.
  const beginning = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01]);
  const openings = [
    Buffer.from('get plain\r\n'),
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    Buffer.from([0x80, ...new Array(23).fill(0)]),
    Buffer.concat([beginning, Buffer.alloc(1_000, 0xff)]),
    // A record that is longer than any may be.
    Buffer.from([0x16, 0x03, 0x03, 0xff, 0xff, 0x01]),
  ];
  await victim.endures(96 * MIB, async () => {
    const silent = await victim.bareAttackers(50);
    const begun = await victim.bareAttackers(50);
    for (const socket of begun) socket.write(beginning);
    const loud = await victim.bareAttackers(200);
    const replies = loud.map(readToEnd);
    for (const [at, socket] of loud.entries()) {
      socket.write(openings[at % openings.length]);
      if (at % 2 === 0) socket.write(random.bytes(random.below(5_000)));
      socket.end();
    }
    // Alerts, at most.
    for (const reply of await Promise.all(replies)) expect(reply.length).toBeLessThan(100);
    resetAll([...silent, ...begun]);
    await victim.hasAttackers(0);
  });
});
