import { expect, type Mock, onTestFinished, test, vi } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import type { Handler } from '../../src/handler/handler.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

/** More than the system's own buffers take: its reply goes on only when the client reads. */
const LARGE = 'x'.repeat(30_000_000);
const KEYS = Array.from({ length: 150_000 }, (_, i): [string, string] => [`key-${i}`, 'value']);

/** Replies that keep the data which they began with, in each protocol that can. */
const LASTING = {
  'a value that is half sent': 'get large\r\n',
  'a line of many keys': `get${' large'.repeat(20)}\r\n`,
  'a list of all keys': 'lru_crawler metadump all\r\n',
  'an MGET': `*21\r\n$4\r\nMGET\r\n${'$5\r\nlarge\r\n'.repeat(20)}`,
} as const;

interface Served {
  readonly address: Address;
  readonly close: Mock<() => void>;
  /** Puts other data into service; tells whether the first is closed. */
  readonly swap: () => void;
  readonly server: ThreadServer;
}

async function serve(staleTimeoutMs: number): Promise<Served> {
  const first = tableOf([...KEYS, ['large', LARGE]]);
  const close = vi.fn<() => void>();
  const storage: Storage = {
    info: first.info,
    get: first.get.bind(first),
    scan: first.scan?.bind(first),
    close,
  };
  const handler: Handler = createSimpleHandler(storage);
  const server = createServer({ handler, limits: { staleTimeoutMs } }) as ThreadServer;
  onTestFinished(() => server.close(0));
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const swap = (): void => {
    handler.swap(tableOf([['large', LARGE]]));
    server.noteSwap();
  };
  return { address, close, swap, server };
}

async function stats(address: Address): Promise<Record<string, string>> {
  const client = await RawClient.connect(address);
  const text = await client.ask('stats\r\n', 'END\r\n');
  client.socket.destroy();
  return Object.fromEntries([...text.matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, k, v]) => [k, v]));
}

/** A client that asks and reads nothing until it is told to. */
async function stalled(address: Address, request: string): Promise<RawClient> {
  const client = await RawClient.connect(address);
  client.socket.pause();
  client.socket.write(request);
  await expect
    .poll(async () => {
      const watcher = await RawClient.connect(address);
      const text = await watcher.ask('stats conns\r\n', 'END\r\n');
      watcher.socket.destroy();
      return text;
    })
    .toContain(':state conn_write\r\n');
  return client;
}

test.each(Object.entries(LASTING))('%s keeps replaced data for a time only', async (_, request) => {
  const { address, swap } = await serve(1);
  const client = await stalled(address, request);
  swap();
  // The next look at it, within a second or two, is beyond the time that it has.
  await expect
    .poll(() => stats(address))
    .toMatchObject({
      stale_connections: '0',
      stale_kicks: '1',
      curr_connections: '1',
    });
  client.socket.resume();
  await client.readToEnd();
});

test('data that was replaced is closed when the last reply from it was aborted', async () => {
  const { address, swap, close, server } = await serve(60_000);
  await stalled(address, LASTING['a list of all keys']);
  swap();
  expect(close).not.toHaveBeenCalled();
  // As when the next data set begins to be loaded.
  server.hurryStale();
  await expect.poll(() => close.mock.calls.length).toBe(1);
});

test('a second swap ends what is left of the data before the first', async () => {
  const { address, swap, close } = await serve(60_000);
  await stalled(address, LASTING['a line of many keys']);
  swap();
  expect((await stats(address)).stale_kicks).toBe('0');
  // A busy machine may take longer for the answer than the reply has.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  onTestFinished(() => clock.mockRestore());
  swap();
  // Not at once: a reply that is on its way is not worth a failure.
  expect(await stats(address)).toMatchObject({ stale_kicks: '0', stale_connections: '1' });
  clock.mockRestore();
  await expect.poll(() => close.mock.calls.length).toBe(1);
  expect(await stats(address)).toMatchObject({ stale_kicks: '1', stale_connections: '0' });
});

test('a reply from the data before a swap may be read to its end meanwhile', async () => {
  const { address, swap } = await serve(60_000);
  const client = await stalled(address, 'get large\r\n');
  swap();
  client.socket.end();
  client.socket.resume();
  const received = await client.readToEnd();
  expect(received.length).toBe(
    `VALUE large 0 ${LARGE.length}\r\n\r\nEND\r\n`.length + LARGE.length,
  );
  expect((await stats(address)).stale_kicks).toBe('0');
});

test.each([
  ['a short reply', 'get key-1 key-2\r\n'],
  // It is cut, and goes on when the others had their turn.
  ['a long one', `get${' none'.repeat(5_000)}\r\n`],
])('clients that have %s and wait are no matter of this', async (_, request) => {
  const { address, swap } = await serve(1);
  const client = await RawClient.connect(address);
  await client.ask(request, 'END\r\n');
  swap();
  swap();
  expect(await stats(address)).toMatchObject({ stale_kicks: '0', stale_connections: '0' });
  expect(await client.ask('get key-1\r\n', 'END\r\n')).toBe('END\r\n');
});
