/** Serving threads that die: everything comes from the package, the threads are real. */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Address, type Goromdb, parseAddress, startGoromdb } from 'goromdb';
import { describe, expect, onTestFinished, test } from 'vitest';
import { askServer } from '../../src/control/control-client.ts';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { moduleUrl, mortalProtocol } from '../support/mortal.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { RawClient } from '../support/raw-client.ts';

interface Started {
  readonly goromdb: Goromdb;
  readonly address: Address;
  readonly logger: CollectingLogger;
  readonly folder: string;
}

async function start(
  threads: number,
  options: { readonly handler?: string; address?: Address } = {},
): Promise<Started> {
  const folder = temporaryFolder();
  const logger = collectingLogger();
  const goromdb = await startGoromdb({
    address: parseAddress('127.0.0.1:0'),
    file: join(folder, 'data.json'),
    storage: 'json',
    protocol: mortalProtocol(),
    threads,
    logger,
    ...options,
  });
  onTestFinished(() => goromdb.close());
  await publish({ goromdb, address: goromdb.address, logger, folder }, 1);
  return { goromdb, address: goromdb.address, logger, folder };
}

async function publish({ logger, folder }: Started, generation: number): Promise<void> {
  drop(join(folder, 'data.json'), JSON.stringify({ key: `value ${generation}` }));
  await logged(logger, `generation ${generation} serves from slot`);
}

function logged(logger: CollectingLogger, text: string): Promise<void> {
  return expect.poll(() => logger.lines.join('\n')).toContain(text);
}

function lastServing({ lines }: CollectingLogger): string | undefined {
  return lines.findLast((line) => line.includes(' serves from slot '));
}

/** Tables of a folder that this process has mapped. */
function mapsIn(folder: string): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('-lock')).length;
}

const ANSWER = 'VALUE key 0 7\r\nvalue 1\r\nEND\r\n';

/** Asks on a new connection, as soon as there is a thread to take it. */
async function askAnew(address: Address, answer = ANSWER): Promise<void> {
  for (;;) {
    const client = await RawClient.connect(address).catch(() => undefined);
    const found = await client?.ask('get key\r\n', 'END\r\n').catch(() => undefined);
    client?.socket.destroy();
    if (found !== undefined) {
      expect(found).toBe(answer);
      return;
    }
    // The thread in its place needs the processor more.
    await delay(5);
  }
}

/** The ports of the connections that the thread of this one serves. */
async function portsBeside(client: RawClient): Promise<readonly number[]> {
  const stats = await client.ask('stats conns\r\n', 'END\r\n');
  return [...stats.matchAll(/:addr tcp:127\.0\.0\.1:(\d+)\r\n/g)].map((match) => Number(match[1]));
}

describe('a serving thread that dies', () => {
  test.each([
    ['throw', 'on purpose'],
    ['exit', 'it has ended with code 7'],
  ])('by %s is replaced; the connections of the others do not notice', async (how, reason) => {
    const { address, logger } = await start(3);
    const clients: RawClient[] = [];
    let lost: readonly number[];
    // The system gives connections to the threads, on a busy machine many to the same.
    do {
      const more = await Promise.all(Array.from({ length: 24 }, () => RawClient.connect(address)));
      // What is asked for is also accepted.
      for (const client of more) expect(await client.ask('get key\r\n', 'END\r\n')).toBe(ANSWER);
      clients.push(...more);
      lost = await portsBeside(clients[0]);
    } while (lost.length === clients.length);
    const [killer] = clients;
    const others = clients.filter(({ socket }) => !lost.includes(socket.localPort!));
    let isOver = false;
    const load = others.map(async (client) => {
      let answers = 0;
      for (; !isOver; answers++) {
        expect(await client.ask('get key\r\n', 'END\r\n')).toBe(ANSWER);
      }
      return answers;
    });
    killer.socket.write(`get die:${how}\r\n`);
    await logged(logger, 'serves again');
    for (let i = 0; i < 12; i++) await askAnew(address);
    isOver = true;
    for (const answers of await Promise.all(load)) expect(answers).toBeGreaterThan(0);
    const died = logger.lines.filter((line) => line.includes('has died'));
    expect(died).toHaveLength(1);
    expect(died[0]).toContain(reason);
    if (how === 'throw') expect(died[0]).toMatch(/TypeError.*\n\s+at /);
    const stats = (): Promise<string> => others[0].ask('stats\r\n', 'END\r\n');
    expect(await stats()).toContain('STAT serving_thread_restarts 1\r\n');
    // The lost connections do not count any more; those of a moment ago have to be seen to close.
    await expect.poll(stats).toContain(`STAT curr_connections ${others.length}\r\n`);
  });

  test.each([1, 3])('of %i is replaced by one that reads the same table', async (threads) => {
    const { address, logger } = await start(threads);
    for (const how of ['throw', 'exit', 'lost']) {
      const killer = await RawClient.connect(address);
      killer.socket.write(`get die:${how}\r\n`);
      await killer.readToEnd();
      for (let i = 0; i < 4 * threads; i++) await askAnew(address);
    }
    expect(logger.lines.join('\n')).not.toContain('is loaded again');
  });

  test('is replaced although the slot was emptied: the table stays mapped', async () => {
    const started = await start(2);
    const { address, logger, folder } = started;
    const slot = join(folder, 'data00');
    for (const name of readdirSync(slot)) rmSync(join(slot, name));
    const killer = await RawClient.connect(address);
    killer.socket.write('get die:throw\r\n');
    await logged(logger, 'serves again');
    for (let i = 0; i < 12; i++) await askAnew(address);
    await publish(started, 2);
    await askAnew(address, 'VALUE key 0 7\r\nvalue 2\r\nEND\r\n');
  });

  test('leaves the next generations to its replacement', async () => {
    const started = await start(1);
    const killer = await RawClient.connect(started.address);
    killer.socket.write('get die:lost\r\n');
    await publish(started, 2);
    await askAnew(started.address, 'VALUE key 0 7\r\nvalue 2\r\nEND\r\n');
  });

  test('takes nothing with it: a rollback is still a swap alone, and no table stays mapped', async () => {
    const started = await start(1);
    const { address, logger, folder } = started;
    await publish(started, 2);
    const killer = await RawClient.connect(address);
    killer.socket.write('get die:lost\r\n');
    await killer.readToEnd();
    await askAnew(address, 'VALUE key 0 7\r\nvalue 2\r\nEND\r\n');
    await askServer(folder, { command: 'rollback' }, PATIENCE_MS);
    await askAnew(address);
    expect(lastServing(logger)).toMatch(/generation 3 serves .*; swap \S+ s$/);
    await publish(started, 4);
    await publish(started, 5);
    await expect.poll(() => mapsIn(folder)).toBe(2);
    await started.goromdb.close();
    expect(mapsIn(folder)).toBe(0);
  });

  test('is replaced on a UNIX socket', async () => {
    const path = join(temporaryFolder(), 'socket');
    for (const threads of [1, 2]) {
      const { goromdb, address, logger } = await start(threads, {
        address: { kind: 'unix', path },
      });
      const killer = await RawClient.connect(address);
      killer.socket.write('get die:throw\r\n');
      await logged(logger, 'serves again');
      for (let i = 0; i < 6; i++) await askAnew(address);
      await goromdb.close();
      expect(existsSync(path)).toBe(false);
    }
  });

  test('again and again ends the service with a reason', async () => {
    const { goromdb, address } = await start(2);
    let isOver = false;
    const failure = expect(goromdb.done).rejects.toMatchObject({
      code: 'SERVER_FAILED',
      message: expect.stringMatching(/^serving threads have died 11 times in 60 s; the last: /),
    });
    void failure.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const client = await RawClient.connect(address).catch(() => undefined);
      client?.socket.write('get die:exit\r\n');
      await client?.readToEnd();
      await delay(5);
    }
    await failure;
  });
});

describe('a thread that cannot swap to the next generation', () => {
  /** Threads whose number is in the list fail at generation 2, the first time or always. */
  const failing = (threads: string, isAlways: boolean): string =>
    moduleUrl(`
      import { existsSync, writeFileSync } from 'node:fs';
      import { fileURLToPath } from 'node:url';
      import { workerData } from 'node:worker_threads';
      import { createSimpleHandler } from '$goromdb';
      export default (storage) => {
        const handler = createSimpleHandler(storage);
        const mark = fileURLToPath(import.meta.url) + workerData.thread;
        return {
          name: 'failing',
          view: () => handler.view(),
          swap: (next) => {
            const isFirst = !existsSync(mark);
            if (next.info.generation === 2 && ${threads}.includes(workerData.thread)) {
              writeFileSync(mark, '');
              if (isFirst || ${isAlways}) throw new Error('cannot swap');
            }
            handler.swap(next);
          },
        };
      };`);

  test('is replaced by one that serves it', async () => {
    const started = await start(3, { handler: failing('[1]', false) });
    await publish(started, 2);
    await logged(started.logger, 'serving thread 1 serves again');
    expect(started.logger.lines.join('\n')).toContain(
      'serving thread 1 has died: GoromdbError: it cannot swap to generation 2: cannot swap',
    );
    for (let i = 0; i < 12; i++) {
      await askAnew(started.address, 'VALUE key 0 7\r\nvalue 2\r\nEND\r\n');
    }
  });

  test('leaves all on the old one when none can', async () => {
    const started = await start(2, { handler: failing('[0, 1]', true) });
    drop(join(started.folder, 'data.json'), '{"key":"value 2"}');
    await logged(started.logger, 'failed: cannot swap');
    for (let i = 0; i < 8; i++) await askAnew(started.address);
    expect(started.logger.lines.join('\n')).not.toContain('has died');
  });
});
