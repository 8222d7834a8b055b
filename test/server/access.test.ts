import { X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import {
  type AccessOptions,
  certificateExpiry,
  checkAccess,
  createAllowList,
  isListed,
} from '../../src/server/access.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

const A = 'VALUE a 0 5\r\nvalue\r\nEND\r\n';
const pem = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const read = (name: string): Buffer => readFileSync(pem(name));
const SERVER_TLS = { certFile: pem('server.pem'), keyFile: pem('server.key') };
const TRUSTING: ConnectionOptions = { ca: read('ca.pem'), servername: 'localhost' };

/** Longer than any test runs. */
const NEVER_MS = 3_600_000;

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

test('of several certificates in a file, the one that expires first counts', () => {
  const { validTo } = new X509Certificate(read('server.pem'));
  const ends = new Date(validTo).toISOString();
  expect(certificateExpiry({ tls: SERVER_TLS })).toBe(ends);
  expect(certificateExpiry({})).toBeUndefined();
  const certFile = join(temporaryFolder(), 'chain.pem');
  writeFileSync(certFile, `${read('client.pem')}some words\n${read('server.pem')}`);
  const first = new Date(new X509Certificate(read('client.pem')).validTo).toISOString();
  const [earliest] = [first, ends].toSorted();
  expect(certificateExpiry({ tls: { ...SERVER_TLS, certFile } })).toBe(earliest);
});

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
    // No grace is needed: nothing was asked on it. It may take 10 s.
    await server.close(NEVER_MS);
    expect(await client.readToEnd()).toBe('');
  });

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

  test('asks for a certificate of the right authority when it should', async () => {
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
    const expectAsBefore = async (): Promise<void> => {
      const still = await RawClient.connect(address, TRUSTING);
      expect(serialOf(still)).toBe(serialOf(after));
    };
    copyFileSync(pem('client.key'), files.keyFile);
    expect(() => server.reload()).toThrow('the TLS files do not work together');
    await expectAsBefore();
    // As a full disk, or a tool that is interrupted, leaves them.
    for (const text of ['', '\n', 'nonsense']) {
      use('server');
      writeFileSync(files.certFile, text);
      expect(() => server.reload()).toThrow(`${files.certFile} holds no certificate in PEM form`);
      await expectAsBefore();
      use('server');
      writeFileSync(files.keyFile, text);
      expect(() => server.reload()).toThrow(`${files.keyFile} holds no private key in PEM form`);
      await expectAsBefore();
    }
  });

  test.each([
    [{ ...SERVER_TLS, keyFile: pem('client.key') }, 'do not work together'],
    [{ ...SERVER_TLS, certFile: '/none' }, 'cannot read the TLS certificate /none'],
    [{ ...SERVER_TLS, clientCaFile: pem('server.key') }, 'holds no certificate'],
    [{ ...SERVER_TLS, certFile: pem('server.key') }, 'server.key holds no certificate in PEM form'],
    [{ ...SERVER_TLS, keyFile: pem('server.pem') }, 'server.pem holds no private key in PEM form'],
    [{ ...SERVER_TLS, certFile: '/dev/null' }, 'found an empty file'],
    [{ ...SERVER_TLS, keyFile: '/dev/null' }, 'found an empty file'],
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

describe('a client that has to be disconnected', () => {
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
