import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { createServer } from '../../src/server/create-server.ts';
import { bind, checkAddress } from '../../src/server/listener.ts';
import type { Server } from '../../src/server/server.ts';
import { listenShared } from '../../src/server/threads/shared-listener.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-ports.ts';
import { tableOf } from '../support/storages.ts';
import { TextClient } from '../support/text-client.ts';

const STORAGE = tableOf([['a', 'value of a']]);

function newServer(): Server {
  const server = createServer({ storage: STORAGE });
  onTestFinished(() => server.close(0));
  return server;
}

function local(port: number): Address {
  return { kind: 'tcp', host: '127.0.0.1', port };
}

function socketIn(folder: string): Address {
  return { kind: 'unix', path: join(folder, 'socket') };
}

async function expectServed(address: Address): Promise<void> {
  const client = await TextClient.connect(address);
  expect((await client.get(['a']))[0].value.toString()).toBe('value of a');
  client.close();
}

function refusal(message: RegExp): object {
  return { code: 'ADDRESS_UNAVAILABLE', message: expect.stringMatching(message) };
}

test('port 0 takes any free port and reports which', async () => {
  const address = await newServer().listen(local(0));
  expect(address).toEqual({ kind: 'tcp', host: '127.0.0.1', port: expect.any(Number) });
  await expectServed(address);
});

test('no host means all interfaces', async () => {
  const address = await newServer().listen({ kind: 'tcp', host: undefined, port: 0 });
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  expect(address.host).toBeUndefined();
  await expectServed({ ...address, host: '127.0.0.1' });
});

describe('refuses', () => {
  test('a port in use', async () => {
    const taken = await newServer().listen(local(0));
    const message = /^cannot listen on 127.0.0.1:\d+: another program listens there; /;
    await expect(newServer().listen(taken)).rejects.toMatchObject(refusal(message));
    await expect(checkAddress(taken)).rejects.toMatchObject(refusal(message));
  });

  test('an address of another machine', async () => {
    const address: Address = { kind: 'tcp', host: '192.0.2.1', port: 0 };
    const message = /this machine has no such address/;
    await expect(newServer().listen(address)).rejects.toMatchObject(refusal(message));
  });

  test('a socket in a folder that is not there', async () => {
    const address = socketIn(join(temporaryFolder(), 'none'));
    await expect(newServer().listen(address)).rejects.toMatchObject(
      refusal(/: there is no folder /),
    );
  });

  test('a socket that another server listens on, which keeps serving', async () => {
    const address = await newServer().listen(socketIn(temporaryFolder()));
    const message = /another program listens there/;
    await expect(newServer().listen(address)).rejects.toMatchObject(refusal(message));
    await expectServed(address);
  });

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'precious')],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('%s in the place of a socket, and leaves it', async (_, make) => {
    const folder = temporaryFolder();
    make(join(folder, 'socket'));
    await expect(newServer().listen(socketIn(folder))).rejects.toMatchObject(
      refusal(/: something that is no socket has this name/),
    );
    expect(existsSync(join(folder, 'socket'))).toBe(true);
  });
});

test('a check of an address leaves it free', async () => {
  const address = socketIn(temporaryFolder());
  await checkAddress(address);
  await newServer().listen(address);
  await expectServed(address);
});

async function connecting(address: Address): Promise<string | undefined> {
  const socket =
    address.kind === 'unix' ? net.connect(address.path) : net.connect(address.port, address.host);
  onTestFinished(() => void socket.destroy());
  return new Promise((resolve) => {
    socket.once('connect', () => resolve('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

test.each([
  ['a port', () => local(0)],
  ['a UNIX socket', () => socketIn(temporaryFolder())],
])('%s that is bound for others to listen on accepts nobody', async (_, make) => {
  const { socket, address } = await bind(make());
  onTestFinished(() => socket.close());
  expect(await connecting(address)).toBe('ECONNREFUSED');
});

test('a port that several threads share accepts nobody before one listens', async () => {
  const shared = await listenShared({ address: local(0), unixMode: undefined, count: 1 });
  onTestFinished(() => shared.close(true));
  expect(await connecting(shared.address)).toBe('ECONNREFUSED');
  const server = net.createServer((socket) => socket.destroy());
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => {
    server.listen({ fd: shared.fds[0] }, resolve);
  });
  expect(await connecting(shared.address)).toBe('connected');
});

test('a check finds an address of another machine and a port in use by all interfaces', async () => {
  const other: Address = { kind: 'tcp', host: '192.0.2.1', port: 4711 };
  await expect(checkAddress(other)).rejects.toMatchObject(refusal(/no such address/));
  const all = await newServer().listen({ kind: 'tcp', host: undefined, port: 0 });
  await expect(checkAddress(all)).rejects.toMatchObject(refusal(/another program listens/));
});

test('a UNIX socket is gone after closing', async () => {
  const folder = temporaryFolder();
  const server = newServer();
  await server.listen(socketIn(folder));
  await server.close();
  expect(existsSync(join(folder, 'socket'))).toBe(false);
});

test('a server can listen again on the port of one that was closed under load', async () => {
  const first = newServer();
  // A port that nobody else takes meanwhile.
  const address = await first.listen(local(await freePort()));
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  const socket = net.connect(address.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write('get a\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  await first.close();
  await newServer().listen(address);
  await expectServed(address);
});
