import { expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import { RawClient } from '../support/raw-client.ts';
import { MapStorage } from '../support/storages.ts';

const END = 'END\r\n';
/** Longer than any test. */
const NEVER_MS = 600_000;

async function serving(drainTimeoutMs: number): Promise<[ThreadServer, Address]> {
  const storage = new MapStorage([]);
  const server = createServer({ storage, limits: { drainTimeoutMs } }) as ThreadServer;
  onTestFinished(() => server.close(0));
  return [server, await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })];
}

/** A client that was answered. */
async function asked(address: Address): Promise<RawClient> {
  const client = await RawClient.connect(address);
  expect(await client.ask('get a\r\n', END)).toBe(END);
  return client;
}

test('a connection that is quiet is closed, and one that has asked for nothing yet is not', async () => {
  const [server, address] = await serving(NEVER_MS);
  const [quiet, fresh] = [await asked(address), await RawClient.connect(address)];
  // It is accepted: the server has counted both.
  await expect
    .poll(async () => (await quiet.ask('stats\r\n', END)).match(/curr_conn\w+ (\d+)/)?.[1])
    .toBe('2');
  const drained = server.drain();
  await quiet.readToEnd();
  expect(await fresh.ask('get a\r\n', END)).toBe(END);
  await fresh.readToEnd();
  await drained;
  await expect(RawClient.connect(address)).rejects.toThrow('ECONNREFUSED');
});

test('a connection with a part of a request waits for the rest', async () => {
  const [server, address] = await serving(NEVER_MS);
  const [quiet, other] = [await asked(address), await asked(address)];
  expect(await other.ask('get a\r\nge', END)).toBe(END);
  const drained = server.drain();
  await quiet.readToEnd();
  expect(await other.ask('t a\r\n', END)).toBe(END);
  await drained;
});

test('a connection that never asks is closed when the time is over', async () => {
  const [server, address] = await serving(20);
  const silent = await RawClient.connect(address);
  await server.drain();
  expect(await silent.readToEnd()).toBe('');
});

test('a close in the meantime does not wait for the time', async () => {
  const [server, address] = await serving(NEVER_MS);
  const silent = await RawClient.connect(address);
  const drained = server.drain();
  await server.close();
  await drained;
  expect(await silent.readToEnd()).toBe('');
});
