import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { LOGIN_FAILURES_MAX } from '../../src/protocol/login.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { checkAccess, loadUsers } from '../../src/server/access.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

const A = 'VALUE a 0 5\r\nvalue\r\nEND\r\n';

const ANYWHERE: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };

async function serve(access: {
  readonly userFile: string;
}): Promise<{ server: ThreadServer; address: Address }> {
  const storage = tableOf([['a', 'value']]);
  const server = createServer({ storage, access: { allow: [], ...access } }) as ThreadServer;
  onTestFinished(() => server.close(0));
  return { server, address: await server.listen(ANYWHERE) };
}

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

  test.each([
    ['', 'found 0 in 0 bytes'],
    ['# of nobody\n', 'found 0 in 12 bytes'],
    ['# two users\n\nann:secret\nno colon\n', 'line 4 is none'],
    [':no name\n', 'line 1 is none'],
    ['x:'.repeat(35_000), 'found 1 in 70000 bytes'],
  ])('does not take a file of other lines, and shows none of them: %j', (text, found) => {
    const file = users(text);
    expect(() => checkAccess({ allow: [], userFile: file }, ANYWHERE)).toThrow(
      `the user file ${file} must have lines of the form user:password, or # and a comment, ` +
        `and at most 65536 bytes; ${found}`,
    );
  });

  test('passes over comments in its file', () => {
    const authenticate = loadUsers(users('# readers: two\nann:secret\n#bob:old\nbob:#new\n'));
    expect(authenticate('ann', 'secret')).toBe(true);
    expect(authenticate('bob', '#new')).toBe(true);
    expect(authenticate('#bob', 'old')).toBe(false);
    expect(authenticate('# readers', ' two')).toBe(false);
  });

  test('knows several passwords of a user, but not many', () => {
    const authenticate = loadUsers(users('ann:old\nbob:b\nann:new\n'));
    expect(['old', 'new', 'b', ''].map((text) => authenticate('ann', text))).toEqual([
      ...[true, true, false, false],
    ]);
    const file = users('ann:x\n'.repeat(9));
    expect(() => loadUsers(file)).toThrow(/expected at most 8 passwords for one user, found more/);
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

  test('is counted, and reported without a secret', async () => {
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
