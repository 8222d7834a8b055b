import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LOGIN_FAILURES_MAX } from '../../src/protocol/login.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import {
  type AccessOptions,
  checkAccess,
  createAllowList,
  isListed,
  loadUsers,
} from '../../src/server/access.ts';
import type { Address } from '../../src/server/address.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

const A = 'VALUE a 0 5\r\nvalue\r\nEND\r\n';
const pem = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const read = (name: string): Buffer => readFileSync(pem(name));
const SERVER_TLS = { certFile: pem('server.pem'), keyFile: pem('server.key') };
const TRUSTING: ConnectionOptions = { ca: read('ca.pem'), servername: 'localhost' };

const ANYWHERE: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };

async function serve(
  access: Partial<AccessOptions>,
  at: Address = ANYWHERE,
): Promise<{ server: ThreadServer; address: Address }> {
  const storage = tableOf([
    ['a', 'value'],
    ['large', 'x'.repeat(1_000_000)],
  ]);
  const server = createServer({ storage, access: { allow: [], ...access } }) as ThreadServer;
  onTestFinished(() => server.close(0));
  return { server, address: await server.listen(at) };
}

describe('the list of addresses that may connect', () => {
  test.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['fd00::/8', 'fd12::1', true],
    ['fd00::/8', 'fe80::1', false],
    ['0.0.0.0/0', '1.2.3.4', true],
  ])('%s: is %s on it? %s', (entry, address, expected) => {
    expect(isListed(createAllowList([entry]), address)).toBe(expected);
  });

  test('lets in who is on it and closes the others without a word', async () => {
    const inside = await serve({ allow: ['127.0.0.0/8', '::1'] });
    expect(await (await RawClient.connect(inside.address)).ask('get a\r\n', 'END\r\n')).toBe(A);
    const outside = await serve({ allow: ['10.0.0.0/8'] });
    const client = await RawClient.connect(outside.address);
    client.socket.write('get a\r\n');
    expect(await client.readToEnd()).toBe('');
  });

  test('keeps others out before they can shake hands', async () => {
    const { address } = await serve({ allow: ['10.0.0.0/8'], tls: SERVER_TLS });
    await expect(RawClient.connect(address, TRUSTING)).rejects.toThrow();
  });
});

describe('login', () => {
  const users = (text: string): string => {
    const file = join(temporaryFolder(), 'users');
    writeFileSync(file, text);
    return file;
  };
  const FAILURE = 'CLIENT_ERROR authentication failure\r\n';
  const login = (text: string): string => `set x 0 0 ${text.length}\r\n${text}\r\n`;

  test('knows users by their names and passwords, which may hold colons and spaces', () => {
    const authenticate = loadUsers(users('ann:secret\r\nbob:a:b c\n'));
    expect(authenticate('ann', 'secret')).toBe(true);
    expect(authenticate('bob', 'a:b c')).toBe(true);
    expect(authenticate('ann', 'a:b c')).toBe(false);
    expect(authenticate('ann', 'secre')).toBe(false);
    expect(authenticate('', '')).toBe(false);
  });

  test.each(['', 'no colon\n', ':no name\n', 'x'.repeat(70_000)])(
    'does not take a file of other lines, and shows none of them',
    (text) => {
      const file = users(text);
      expect(() => checkAccess({ allow: [], userFile: file }, ANYWHERE)).toThrow(
        `the user file ${file} must have lines of the form user:password and at most 65536 bytes`,
      );
    },
  );

  test('knows several passwords of a user, but not many', () => {
    const authenticate = loadUsers(users('ann:old\nbob:b\nann:new\n'));
    expect(['old', 'new', 'b', ''].map((text) => authenticate('ann', text))).toEqual([
      ...[true, true, false, false],
    ]);
    const file = users('ann:x\n'.repeat(9));
    expect(() => loadUsers(file)).toThrow(/has more than 8 passwords for one user/);
  });

  test('ends a connection after a few failures', async () => {
    const { address } = await serve({ userFile: users('ann:secret\n') });
    const guesses = login('ann wrong').repeat(LOGIN_FAILURES_MAX);
    const client = await RawClient.connect(address);
    client.socket.write(`${guesses}${login('ann secret')}get a\r\n`);
    expect(await client.readToEnd()).toBe(FAILURE.repeat(LOGIN_FAILURES_MAX));
    // A login that comes before the last of them is as good as any.
    const other = await RawClient.connect(address);
    other.socket.write(login('ann wrong').repeat(LOGIN_FAILURES_MAX - 1));
    expect(await other.ask(`${login('ann secret')}get a\r\n`, 'END\r\n')).toMatch(
      /STORED\r\nVALUE/,
    );
  });

  test.each([
    'POST /x HTTP/1.1',
    'GET / HTTP/1.0',
    'stats a b c HTTP/1.1',
    `PUT /${'a '.repeat(30)}HTTP/1.1`,
  ])('closes %s without a byte, whatever its body says', async (line) => {
    const { address } = await serve({ userFile: users('ann:secret\n') });
    const client = await RawClient.connect(address);
    client.socket.write(`${line}\r\nHost: localhost\r\n\r\n${login('ann secret')}get a\r\n`);
    expect(await client.readToEnd()).toBe('');
  });

  test('comes before everything else', async () => {
    const { address } = await serve({ userFile: users('ann:secret\n') });
    const client = await RawClient.connect(address);
    for (const line of [
      'get a\r\n',
      'quit\r\n',
      'version\r\n',
      'set x 0 0 5 noreply\r\n',
      '\r\n',
    ]) {
      expect(await client.ask(line)).toBe('CLIENT_ERROR unauthenticated\r\n');
    }
    for (const text of ['ann wrong', 'bob secret', 'annsecret']) {
      expect(await client.ask(login(text))).toBe(FAILURE);
    }
    const other = await RawClient.connect(address);
    for (const text of ['', 'ann secret ']) expect(await other.ask(login(text))).toBe(FAILURE);
    expect(await other.ask('set x 0 0 10\r\nann secretXX')).toBe(FAILURE);
    expect(await client.ask(login('ann secret'))).toBe('STORED\r\n');
    expect(await client.ask('get a\r\n', 'END\r\n')).toBe(A);
    expect(await client.ask(login('ann secret'))).toBe('NOT_STORED\r\n');
  });

  test('may come byte by byte, and with commands behind it', async () => {
    const { address } = await serve({ userFile: users('ann:secret\n') });
    const slow = await RawClient.connect(address);
    slow.socket.setNoDelay(true);
    const request = login('ann secret');
    for (const byte of request.slice(0, -1)) slow.socket.write(byte);
    expect(await slow.ask(request.slice(-1))).toBe('STORED\r\n');
    const fast = await RawClient.connect(address);
    expect(await fast.ask(`${request}get a\r\n`, 'END\r\n')).toBe(`STORED\r\n${A}`);
  });

  test('has a bounded length, and ends a client that begins in another protocol', async () => {
    const { address } = await serve({ userFile: users('ann:secret\n') });
    const long = await RawClient.connect(address);
    long.socket.write('set x 0 0 1073741824\r\n');
    expect(await long.readToEnd()).toBe('CLIENT_ERROR authentication failure\r\n');
    const endless = await RawClient.connect(address);
    endless.socket.write('x'.repeat(5000));
    expect(await endless.readToEnd()).toBe('');
    const wide = await RawClient.connect(address);
    wide.socket.write(`${'x '.repeat(600)}\r\n`);
    expect(await wide.readToEnd()).toBe('');
    const other = await RawClient.connect(address);
    other.socket.write('\x80\x0b\0\0', 'latin1');
    expect(await other.readToEnd()).toBe('');
  });

  describe('as Redis has it', () => {
    const ask = (...words: string[]): string =>
      `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
    const WRONG = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
    const NOAUTH = '-NOAUTH Authentication required.\r\n';

    test('comes before everything but HELLO, RESET and QUIT', async () => {
      const { address } = await serve({ userFile: users('ann:secret\ndefault:all\n') });
      const client = await RawClient.connect(address);
      for (const words of [['GET', 'a'], ['PING'], ['SET', 'a', 'b'], ['MGET', 'a'], ['INFO']]) {
        expect(await client.ask(ask(...words))).toBe(NOAUTH);
      }
      expect(await client.ask(ask('HELLO', '3'))).toMatch(/^-NOAUTH HELLO must be called/);
      expect(await client.ask(ask('AUTH', 'ann', 'wrong'))).toBe(WRONG);
      expect(await client.ask(ask('AUTH', 'wrong'))).toBe(WRONG);
      expect(await client.ask(ask('HELLO', '2', 'AUTH', 'bob', 'secret'))).toBe(WRONG);
      expect(await client.ask(ask('GET', 'a'))).toBe(NOAUTH);
      expect(await client.ask(ask('AUTH', 'ann', 'secret'))).toBe('+OK\r\n');
      expect(await client.ask(ask('GET', 'a'), 'value\r\n')).toBe('$5\r\nvalue\r\n');
      expect(await client.ask(ask('RESET'))).toBe('+RESET\r\n');
      expect(await client.ask(ask('GET', 'a'))).toBe(NOAUTH);
      // A password alone is that of the user default.
      expect(await client.ask(ask('AUTH', 'all'))).toBe('+OK\r\n');
      expect(await client.ask(ask('PING'))).toBe('+PONG\r\n');
      const other = await RawClient.connect(address);
      const hello = ask('HELLO', '3', 'AUTH', 'ann', 'secret');
      expect(await other.ask(hello, 'modules\r\n*0\r\n')).toMatch(/^%7\r\n/);
      expect(await other.ask(ask('PING'))).toBe('+PONG\r\n');
    });

    test('ends a connection after a few failures', async () => {
      const { address } = await serve({ userFile: users('ann:secret\n') });
      const guesses = [ask('AUTH', 'ann', 'wrong'), ask('HELLO', '3', 'AUTH', 'bob', 'secret')];
      const client = await RawClient.connect(address);
      client.socket.write(`${guesses.join('').repeat(3)}${ask('AUTH', 'ann', 'secret')}`);
      expect(await client.readToEnd()).toBe(WRONG.repeat(LOGIN_FAILURES_MAX));
    });

    test('keeps who has not logged in from making the server hold much', async () => {
      const { address } = await serve({ userFile: users('ann:secret\n') });
      for (const [request, error] of [
        ['*11\r\n$4\r\nMGET\r\n', 'unauthenticated multibulk length'],
        [`*2\r\n$4\r\nAUTH\r\n$20000\r\n${'x'.repeat(17_000)}`, 'unauthenticated bulk length'],
      ] as const) {
        const client = await RawClient.connect(address);
        client.socket.write(request);
        expect(await client.readToEnd()).toBe(`-ERR Protocol error: ${error}\r\n`);
      }
    });
  });

  test('is asked for in front of a protocol that knows nothing of it', async () => {
    const protocol: Protocol = {
      name: 'shouting',
      createSession: () => ({
        state: 'open',
        receive: (_, start, end, reply) => {
          reply.text('HELLO\r\n');
          return end - start;
        },
        close: () => {},
      }),
    };
    const access = { allow: [], userFile: users('ann:secret\n') };
    const server = createServer({ storage: tableOf([]), protocol, access });
    onTestFinished(() => server.close(0));
    const client = await RawClient.connect(await server.listen(ANYWHERE));
    expect(await client.ask('hey\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    expect(await client.ask(login('ann secret'))).toBe('STORED\r\n');
    expect(await client.ask('hey\r\n')).toBe('HELLO\r\n');
  });

  test('is counted, and told of without a secret', async () => {
    const logger = collectingLogger();
    const access = { allow: [], userFile: users('ann:secret\n') };
    const server = createServer({ storage: tableOf([]), access, logger });
    onTestFinished(() => server.close(0));
    const address = await server.listen(ANYWHERE);
    const client = await RawClient.connect(address);
    await client.ask(login('ann wrong'));
    await client.ask(login('bob secret'));
    const redis = await RawClient.connect(address);
    await redis.ask('*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$5\r\nwrong\r\n');
    await client.ask(login('ann secret'));
    const stats = await client.ask('stats\r\n', 'END\r\n');
    expect(stats).toContain('STAT auth_cmds 4\r\n');
    expect(stats).toContain('STAT auth_errors 3\r\n');
    expect(logger.lines).toEqual([
      'warn a login failed from 127.0.0.1: no such name and password; others from there are ' +
        'counted in stats and not logged for a minute',
    ]);
  });

  test('goes by a changed file after a reload, for new connections', async () => {
    const file = users('ann:secret\n');
    const { server, address } = await serve({ userFile: file });
    const before = await RawClient.connect(address);
    expect(await before.ask(login('ann secret'))).toBe('STORED\r\n');
    writeFileSync(file, 'ann:other\n');
    server.reload();
    const after = await RawClient.connect(address);
    expect(await after.ask(login('ann secret'))).toBe('CLIENT_ERROR authentication failure\r\n');
    expect(await after.ask(login('ann other'))).toBe('STORED\r\n');
    expect(await before.ask('get a\r\n', 'END\r\n')).toBe(A);
  });
});

describe('TLS', () => {
  test('serves values of every size', async () => {
    const { address } = await serve({ tls: SERVER_TLS });
    const client = await RawClient.connect(address, TRUSTING);
    expect(await client.ask('get a\r\n', 'END\r\n')).toBe(A);
    const large = await client.ask('get large large\r\n', 'END\r\n');
    expect(large.length).toBe(2 * ('VALUE large 0 1000000\r\n'.length + 1_000_002) + 5);
  });

  test('does not hold up the end of the server by a handshake under way', async () => {
    const { server, address } = await serve({ tls: SERVER_TLS });
    const client = await RawClient.connect(address);
    await server.close(0);
    expect(await client.readToEnd()).toBe('');
    // A handshake may take 10 s: waiting for its end would be longer than this test may take.
  }, 5_000);

  test('is 1.2 at least', async () => {
    const { address } = await serve({ tls: SERVER_TLS });
    const old: ConnectionOptions = { ...TRUSTING, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' };
    await expect(RawClient.connect(address, old)).rejects.toThrow();
    const client = await RawClient.connect(address, { ...TRUSTING, maxVersion: 'TLSv1.2' });
    expect((client.socket as TLSSocket).getProtocol()).toBe('TLSv1.2');
  });

  test('outlives a client that does not speak it', async () => {
    const { address } = await serve({ tls: SERVER_TLS });
    const plain = await RawClient.connect(address);
    plain.socket.write('get a\r\n');
    await plain.readToEnd();
    const client = await RawClient.connect(address, TRUSTING);
    expect(await client.ask('get a\r\n', 'END\r\n')).toBe(A);
  });

  test('asks for a certificate of the right authority when told to', async () => {
    const { address } = await serve({ tls: { ...SERVER_TLS, clientCaFile: pem('ca.pem') } });
    const withCertificate = (name: string): ConnectionOptions => ({
      ...TRUSTING,
      cert: read(`${name}.pem`),
      key: read(`${name}.key`),
    });
    const client = await RawClient.connect(address, withCertificate('client'));
    expect(await client.ask('get a\r\n', 'END\r\n')).toBe(A);
    for (const options of [TRUSTING, withCertificate('stranger')]) {
      // In TLS 1.3 a client believes to be connected before the server has looked.
      const refused = RawClient.connect(address, options).then((one) => one.ask('get a\r\n'));
      await expect(refused).rejects.toThrow();
    }
  });

  test('takes a renewed certificate without dropping a connection', async () => {
    const folder = temporaryFolder();
    const files = { certFile: join(folder, 'cert'), keyFile: join(folder, 'key') };
    const use = (name: string): void => {
      copyFileSync(pem(`${name}.pem`), files.certFile);
      copyFileSync(pem(`${name}.key`), files.keyFile);
    };
    const serialOf = (client: RawClient): string =>
      (client.socket as TLSSocket).getPeerCertificate().serialNumber;
    use('server');
    const { server, address } = await serve({ tls: files });
    const before = await RawClient.connect(address, TRUSTING);
    use('server-renewed');
    server.reload();
    const after = await RawClient.connect(address, TRUSTING);
    expect(serialOf(after)).not.toBe(serialOf(before));
    expect(await before.ask('get a\r\n', 'END\r\n')).toBe(A);
    writeFileSync(files.keyFile, 'nonsense');
    expect(() => server.reload()).toThrow('the TLS files do not work together');
    const still = await RawClient.connect(address, TRUSTING);
    expect(serialOf(still)).toBe(serialOf(after));
  });

  test.each([
    [{ ...SERVER_TLS, keyFile: pem('client.key') }, 'do not work together'],
    [{ ...SERVER_TLS, certFile: '/none' }, 'cannot read the TLS certificate /none'],
    [{ ...SERVER_TLS, clientCaFile: pem('server.key') }, 'holds no certificate'],
  ])('says at the start which files are wrong', (tls, message) => {
    expect(() => checkAccess({ allow: [], tls }, ANYWHERE)).toThrow(message);
  });
});

test('a UNIX socket has the mode that it was given', async () => {
  const path = join(temporaryFolder(), 'socket');
  const { address } = await serve({ unixMode: 0o750 }, { kind: 'unix', path });
  expect(statSync(path).mode & 0o777).toBe(0o750);
  expect(await (await RawClient.connect(address)).ask('get a\r\n', 'END\r\n')).toBe(A);
});

describe('what would do nothing is refused', () => {
  const socket: Address = { kind: 'unix', path: '/run/g' };
  test.each<[Partial<AccessOptions>, Address, string]>([
    [{ allow: ['::1'] }, socket, '-allow: unix:/run/g is a UNIX socket'],
    [{ unixMode: 0o700 }, ANYWHERE, '-unix-mode: only a UNIX socket has a mode'],
  ])('%j', async (options, address, message) => {
    const access = { allow: [], ...options };
    const error = { code: 'OPTION_INVALID', message: expect.stringContaining(message) };
    expect(() => checkAccess(access, address)).toThrow(expect.objectContaining(error));
    await expect(serve(access, address)).rejects.toMatchObject(error);
  });
});

describe('a client that has to be cut off', () => {
  // Redis' protocol ends the connection of a browser, whose request could be made by a web page.
  const request = '*1\r\n$4\r\nPOST\r\n';

  test('takes nobody with it over a UNIX socket', async () => {
    const at = { kind: 'unix', path: join(temporaryFolder(), 'socket') } as const;
    const { address } = await serve({}, at);
    const client = await RawClient.connect(address);
    client.socket.write(request);
    await client.readToEnd();
    expect(await (await RawClient.connect(address)).ask('get a\r\n', 'END\r\n')).toBe(A);
  });

  test('takes nobody with it over TLS', async () => {
    const { address } = await serve({ tls: SERVER_TLS });
    const client = await RawClient.connect(address, TRUSTING);
    client.socket.write(request);
    await client.readToEnd();
    const other = await RawClient.connect(address, TRUSTING);
    expect(await other.ask('get a\r\n', 'END\r\n')).toBe(A);
  });
});
