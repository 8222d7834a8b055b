import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startWire } from '../../../src/once/wire/listener.ts';
import { collectingLogger } from '../../support/collecting-logger.ts';
import { LOOPBACK, secretFile, storeOnFake } from '../../support/once-node.ts';
import { RawClient } from '../../support/raw-client.ts';

const LOGIN = 'set x 0 0 10\r\nann secret\r\n';

/** Serves clients that have to log in. */
async function served() {
  const userFile = secretFile('ann:secret\n');
  const logger = collectingLogger();
  const { etcd, store } = await storeOnFake();
  const wire = await startWire({ address: LOOPBACK, access: { userFile } }, store, logger);
  onTestFinished(() => wire.close());
  const { address } = wire;
  const port = address.kind === 'tcp' ? address.port : 0;
  return { etcd, port, logger, connect: () => RawClient.connect(address) };
}

/** Sends the last piece. @returns All that was answered, to all pieces. */
async function askOn(client: RawClient, last: string): Promise<string> {
  client.socket.write(last, 'latin1');
  client.socket.end();
  return client.readToEnd();
}

async function redis(port: number, more = {}): Promise<Redis> {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => null, ...more });
  onTestFinished(() => client.disconnect());
  client.on('error', () => {});
  return client;
}

describe("memcached's text protocol", () => {
  const TALK = [
    ['add a 0 0 1\r\nx\r\n', 'CLIENT_ERROR unauthenticated\r\nCLIENT_ERROR unauthenticated\r\n'],
    ['set x 0 0 9\r\nann wrong\r\n', 'CLIENT_ERROR authentication failure\r\n'],
    ['set b 0 60 1\r\nx\r\n', 'CLIENT_ERROR authentication failure\r\n'],
    [LOGIN, 'STORED\r\n'],
    ['reset\r\n', 'ERROR\r\n'],
    ['get a\r\n', 'END\r\n'],
    ['set x 0 0 1\r\nx\r\n', 'STORED\r\n'],
    ['get x\r\n', 'VALUE x 0 1\r\nx\r\nEND\r\n'],
    ['mn\r\n', 'MN\r\n'],
  ] as const;

  test.each([1, 7, 1_000])(
    'creates after a login, and not before, in pieces of %i bytes',
    async (cut) => {
      const { etcd, logger, connect } = await served();
      const client = await connect();
      const input = TALK.map(([asked]) => asked).join('');
      for (let i = 0; i < input.length - cut; i += cut) {
        client.socket.write(input.slice(i, i + cut), 'latin1');
        await new Promise((resolve) => setImmediate(resolve));
      }
      const last = input.length - (input.length % cut || Math.min(cut, input.length));
      const said = await askOn(client, input.slice(last));
      expect(said).toBe(TALK.map(([, text]) => text).join(''));
      expect(etcd.keys.size).toBe(1);
      const warnings = logger.lines.filter((line) => line.startsWith('warn'));
      expect(warnings).toEqual([expect.stringContaining('a login failed from 127.0.0.1')]);
    },
  );

  test('closes the connection of a stranger who sends much', async () => {
    const { etcd, connect } = await served();
    const client = await connect();
    client.socket.write(`set x 0 0 900000\r\n${'x'.repeat(10_000)}`);
    await client.readToEnd();
    expect(etcd.keys.size).toBe(0);
  });
});

test("memcached's binary protocol lets nobody create, as there is no login in it", async () => {
  const { etcd, connect } = await served();
  const client = await connect();
  const packet = Buffer.alloc(34);
  packet.set([0x80, 0x02, 0, 1, 8]);
  packet.writeUInt32BE(10, 8);
  packet.write('kv', 32);
  client.socket.write(packet);
  expect(await client.readToEnd()).toBe('');
  expect(etcd.keys.size).toBe(0);
});

describe("Redis' protocol", () => {
  test('creates after AUTH, and not before, nor after RESET', async () => {
    const { etcd, port } = await served();
    const client = await redis(port, { enableReadyCheck: false });
    await expect(client.set('a', 'x', 'NX')).rejects.toThrow(/^NOAUTH/);
    await expect(client.auth('ann', 'wrong')).rejects.toThrow(/^WRONGPASS/);
    await expect(client.set('a', 'x')).rejects.toThrow(/^NOAUTH/);
    expect(etcd.keys.size).toBe(0);
    expect(await client.auth('ann', 'secret')).toBe('OK');
    expect(await client.set('a', 'x', 'NX')).toBe('OK');
    expect(await client.get('a')).toBe('x');
    expect(await client.call('RESET')).toBe('RESET');
    await expect(client.set('b', 'x', 'NX')).rejects.toThrow(/^NOAUTH/);
    expect(etcd.keys.size).toBe(1);
  });

  test.each([
    ['a line', ' "\\x72eset"\r\n'],
    ['a line with many spaces', `${' '.repeat(100)}reset\r\n`],
    // As in Redis, nobody looks at what is behind an argument.
    ['of a client that does not end it as it should', '*1\r\n$5\r\nRESET..'],
  ])('creates nothing after a RESET that is %s', async (_, reset) => {
    const { etcd, connect } = await served();
    const client = await connect();
    const said = await askOn(
      client,
      `*1\r\n$4\r\nPING\r\nAUTH ann secret\r\nSET a x\r\nRESET x\r\nSET b x\r\n${reset}SET c x\r\n`,
    );
    expect(said).toMatch(
      /^-NOAUTH [^\r]*\r\n\+OK\r\n\+OK\r\n-ERR [^\r]*\r\n\+OK\r\n\+RESET\r\n-NOAUTH /,
    );
    expect(etcd.keys.size).toBe(2);
  });

  test('serves a client that logs in as it connects', async () => {
    const { port } = await served();
    const client = await redis(port, { username: 'ann', password: 'secret' });
    expect(await client.set('a', 'x', 'NX')).toBe('OK');
    expect(await client.mget('a', 'b')).toEqual(['x', null]);
  });
});
