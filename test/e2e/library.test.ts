/** The parts that a library user can replace, as a user would: everything comes from the package. */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Address,
  createServer,
  createSimpleHandler,
  type Handler,
  type Protocol,
  parseAddress,
  type Server,
  type Storage,
  startGoromdb,
} from 'goromdb';
import { expect, onTestFinished, test, vi } from 'vitest';
import { drop } from '../support/drop.ts';
import { moduleUrl } from '../support/mortal.ts';
import { TextClient } from '../support/text-client.ts';

/** The current time of some cities: a storage whose records are made when they are asked for. */
class Clock implements Storage {
  readonly info = { generation: 1, keys: 2, bytes: 0, md5: '', format: 'clock', loadedAt: 0 };
  readonly #zones = new Map([
    ['time:paris', 'Europe/Paris'],
    ['time:tokyo', 'Asia/Tokyo'],
  ]);

  get(key: Buffer, start: number, end: number) {
    const zone = this.#zones.get(key.toString('latin1', start, end));
    if (zone === undefined) return undefined;
    const buffer = Buffer.from(new Date().toLocaleTimeString('en-GB', { timeZone: zone }));
    return { buffer, valueStart: 0, valueEnd: buffer.length, flags: 0, cas: 1, wireStart: -1 };
  }

  close(): void {}
}

/** Finds keys in lower case whatever case they are asked in. */
function createLowerCaseHandler(storage: Storage): Handler {
  const inner = createSimpleHandler(storage);
  return {
    name: 'lower-case',
    view: () => {
      const view = inner.view();
      return {
        info: view.info,
        get: (key, start, end) => {
          const lower = Buffer.from(key.toString('latin1', start, end).toLowerCase(), 'latin1');
          return view.get(lower, 0, lower.length);
        },
        release: () => view.release(),
      };
    },
    swap: (next) => inner.swap(next),
  };
}

/** A line is a key; its answer is a line with the value, empty when there is none. */
const lineProtocol: Protocol = {
  name: 'lines',
  createSession: ({ handler }) => ({
    state: 'open',
    receive: (input, start, end, reply) => {
      let at = start;
      for (;;) {
        const lineEnd = input.indexOf('\n', at);
        if (lineEnd === -1 || lineEnd >= end || reply.isFull) return at - start;
        const view = handler.view();
        const entry = view.get(input, at, lineEnd);
        if (entry !== undefined) reply.lend(entry, entry.valueStart, entry.valueEnd);
        reply.text('\n');
        view.release();
        at = lineEnd + 1;
      }
    },
    close: () => {},
  }),
};

async function listen(server: Server): Promise<Address> {
  onTestFinished(() => server.close());
  return server.listen(parseAddress('127.0.0.1:0'));
}

/** What the server answers to this input until it closes, which the end of the input makes it do. */
async function ask(address: Address, input: string): Promise<string> {
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  const socket = net.connect({ port: address.port, host: '127.0.0.1' });
  socket.end(input);
  return Buffer.concat(await socket.toArray()).toString();
}

test('createServer serves a storage of your own', async () => {
  const address = await listen(createServer({ storage: new Clock() }));
  const client = await TextClient.connect(address);
  const hits = await client.get(['time:paris', 'time:mars', 'time:tokyo']);
  expect(hits.map((hit) => hit.key)).toEqual(['time:paris', 'time:tokyo']);
  expect(hits[0].value.toString()).toMatch(/^\d\d:\d\d:\d\d$/);
  client.close();
});

test('createServer serves through a handler of your own, which can swap storages', async () => {
  const storage = new Clock();
  const close = vi.spyOn(storage, 'close');
  const handler = createLowerCaseHandler(storage);
  const address = await listen(createServer({ handler }));
  expect(await ask(address, 'get TIME:Paris\r\n')).toMatch(/^VALUE TIME:Paris 0 8\r\n/);
  handler.swap({ ...storage, get: () => undefined, close: () => {} });
  expect(close).toHaveBeenCalledTimes(1);
  expect(await ask(address, 'get TIME:Paris\r\n')).toBe('END\r\n');
});

test('createServer speaks a protocol of your own', async () => {
  const server = createServer({ storage: new Clock(), protocol: lineProtocol });
  const address = await listen(server);
  expect(await ask(address, 'time:tokyo\nnone\n')).toMatch(/^\d\d:\d\d:\d\d\n\n$/);
});

test('createServer without anything to serve is a mistake', () => {
  expect(() => createServer({})).toThrow(
    new TypeError('createServer needs a storage or a handler'),
  );
});

test('startGoromdb runs a scanner, a handler and a protocol from modules of your own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'cities.csv');
  drop(file, 'paris,France\ntokyo,Japan');
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const goromdb = await startGoromdb({
    address: parseAddress('127.0.0.1:0'),
    file,
    threads: 2,
    storage: moduleUrl(`
      import { readSync } from 'node:fs';
      export default {
        format: 'csv',
        async scan({ fd, size }, options, sink) {
          const text = Buffer.alloc(size);
          readSync(fd, text, 0, size, 0);
          for (const line of text.toString().split('\\n')) {
            const [key, value] = line.split(',').map((field) => Buffer.from(field));
            sink.add(key, 0, key.length, value, 0, value.length, 0);
          }
        },
      };`),
    handler: moduleUrl(`
      import { createSimpleHandler } from '$goromdb';
      export default (storage) => {
        const inner = createSimpleHandler(storage);
        const skipPrefix = (view) => ({
          info: view.info,
          get: (key, start, end) => {
            const entry = view.get(key, start + 'city:'.length, end);
            // In its wire form the record has the shorter key, and clients expect theirs.
            return entry && { ...entry, wireStart: -1 };
          },
          release: () => view.release(),
        });
        return {
          name: 'prefixed',
          view: () => skipPrefix(inner.view()),
          swap: (next) => inner.swap(next),
        };
      };`),
    protocol: moduleUrl(`
      import { memcachedProtocol } from '$goromdb';
      export default { ...memcachedProtocol, name: 'mine' };`),
    logger: { info: log, warn: log, error: log },
  });
  onTestFinished(() => goromdb.close());
  await expect.poll(() => lines.join('\n')).toContain('2 keys, 24 B of csv');
  expect(await ask(goromdb.address, 'get city:paris\r\n')).toBe(
    'VALUE city:paris 0 6\r\nFrance\r\nEND\r\n',
  );
});

test.each([
  [
    'storage',
    'a built-in that is not there',
    'cvs',
    /^storage "cvs" is not known: expected json, /,
  ],
  [
    'handler',
    'a module that is not there',
    'file:///none.mjs',
    /-handler .* cannot be used: Cannot/,
  ],
  ['protocol', 'a module without a default', 'data:,', /-proto "data:," is not known/],
])('startGoromdb refuses a %s that is %s', async (option, _, spec, message) => {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const address = parseAddress('127.0.0.1:0');
  const options = { address, file: join(folder, 'data'), storage: 'json', threads: 2 };
  await expect(startGoromdb({ ...options, [option]: spec })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringMatching(message),
  });
});

test('startGoromdb closes once, however often close is called, and `done` then resolves', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const address = parseAddress('127.0.0.1:0');
  const goromdb = await startGoromdb({ address, file: join(folder, 'data'), storage: 'json' });
  const isDone = vi.fn();
  void goromdb.done.then(isDone);
  await Promise.all([goromdb.close(), goromdb.close()]);
  await goromdb.close();
  expect(isDone).toHaveBeenCalledTimes(1);
  await expect(TextClient.connect(goromdb.address)).rejects.toThrow('ECONNREFUSED');
});
