import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { GoromdbError } from '../../src/common/errors.ts';
import { Control } from '../../src/control/control.ts';
import { askServer, findServer } from '../../src/control/control-client.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { temporaryFolder } from '../support/folder.ts';
import { PATIENCE_MS } from '../support/patience.ts';

let base: string;
const logger = collectingLogger();
beforeEach(() => {
  base = temporaryFolder();
  logger.lines.length = 0;
});

async function take(folder = base): Promise<Control> {
  const control = await Control.take(folder, logger);
  onTestFinished(() => control.close());
  return control;
}

describe('a base folder', () => {
  test('that is taken is refused, with who has it and since when', async () => {
    const { holder } = await take();
    await expect(take()).rejects.toMatchObject({
      code: 'FOLDER_IN_USE',
      message: expect.stringContaining(
        `${base} is in use by another goromdb (pid ${process.pid} on ${holder.host}, since ${holder.since}): stop that one, or`,
      ),
    });
  });

  test('that is taken is refused under another path as well', async () => {
    await take();
    const other = join(temporaryFolder(), 'link');
    symlinkSync(base, other);
    await expect(take(other)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
  });

  test('can be taken again when it was released, and nothing is left in it', async () => {
    const control = await Control.take(base, logger);
    await control.close();
    await control.close();
    expect(readdirSync(base)).toEqual([]);
    await take();
  });

  test.runIf(process.platform === 'linux')(
    'is released although somebody who asked for the holder stays connected',
    async () => {
      const control = await Control.take(base, logger);
      const { dev, ino } = statSync(base, { bigint: true });
      const path = `\0goromdb-${dev}-${ino}`;
      const peer = net.connect({ path, allowHalfOpen: true });
      onTestFinished(() => void peer.destroy());
      const [line] = await once(peer, 'data');
      expect(JSON.parse(String(line))).toEqual(control.holder);
      await control.close();
      await take();
    },
  );

  test('is refused when somebody serves its control socket, as from another container', async () => {
    const holder = { pid: 1, host: 'other', since: '2026-01-01T00:00:00.000Z' };
    const server = net.createServer((socket) => {
      socket.on('error', () => {}).end(`${JSON.stringify(holder)}\n`);
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(join(base, 'control.sock'), resolve));
    await expect(take()).rejects.toThrow('(pid 1 on other, since 2026-01-01T00:00:00.000Z)');
  });

  test.runIf(process.platform === 'linux')(
    'keeps no descriptor for peers that ask for the holder and stay connected',
    async () => {
      await take();
      const { dev, ino } = statSync(base, { bigint: true });
      const path = `\0goromdb-${dev}-${ino}`;
      const clients = Array.from({ length: 200 }, () => net.connect({ path, allowHalfOpen: true }));
      onTestFinished(() => {
        for (const client of clients) client.destroy();
      });
      const descriptors = (): number => readdirSync('/proc/self/fd').length;
      const before = descriptors();
      let introductions = 0;
      await Promise.all(
        clients.map((client) => {
          client.on('data', () => introductions++);
          // Beyond the limit a connection is closed without an answer.
          client.on('error', () => {});
          return new Promise((resolve) => client.once('end', resolve).once('close', resolve));
        }),
      );
      expect(introductions).toBeGreaterThan(0);
      await expect.poll(descriptors).toBeLessThanOrEqual(before);
    },
  );

  test('with a file in the place of the socket is taken with a warning', async () => {
    mkdirSync(join(base, 'control.sock'));
    await take();
    expect(logger.lines).toEqual([
      expect.stringMatching(/^warn there is no control socket in .*: goromdb status/),
    ]);
    await expect(take()).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
  });

  test('with a very long path is taken and answers', async () => {
    const deep = join(base, 'd'.repeat(120));
    mkdirSync(deep);
    const control = await take(deep);
    control.answer('ping', async () => 'pong');
    expect(await askServer(deep, { command: 'ping' }, PATIENCE_MS)).toMatchObject({
      result: 'pong',
    });
    expect(logger.lines).toEqual([]);
    await control.close();
    expect(readdirSync(deep)).toEqual([]);
  });
});

describe('the control socket', () => {
  test("is the server's user's alone", async () => {
    await take();
    expect(statSync(join(base, 'control.sock')).mode & 0o777).toBe(0o600);
  });

  test('says who serves, and nothing when nobody does', async () => {
    expect(await findServer(base)).toBeUndefined();
    const { holder } = await take();
    expect(await findServer(base)).toEqual(holder);
    expect(await findServer(join(base, 'none'))).toBeUndefined();
  });

  test('runs commands with their arguments, and passes errors on with their code', async () => {
    const control = await take();
    control.answer('add', async ({ a, b }) => Number(a) + Number(b));
    control.answer('fail', async () => {
      throw new GoromdbError('FILE_CHANGED', 'not now');
    });
    const ask = (command: string, args = {}): ReturnType<typeof askServer> =>
      askServer(base, { command, args }, PATIENCE_MS);
    expect(await ask('add', { a: 1, b: 2 })).toEqual({ holder: control.holder, result: 3 });
    await expect(ask('fail')).rejects.toMatchObject({ code: 'FILE_CHANGED', message: 'not now' });
    await expect(ask('none')).rejects.toThrow('does not know the command "none"');
  });

  test('refuses when a command takes too long', async () => {
    const control = await take();
    const asked = new Promise<void>((resolve) => {
      control.answer('slow', () => {
        resolve();
        return new Promise(() => {});
      });
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const refused = expect(askServer(base, { command: 'slow' }, 50)).rejects.toThrow(
      `the server (pid ${process.pid}) of ${base} has not answered within 0.05 s: try again`,
    );
    await asked;
    // Who is greeted later shows that the first was greeted too: the time is not over before that.
    await findServer(base);
    vi.advanceTimersByTime(50);
    await refused;
  });

  test('says that the server has gone when it ends before it answers', async () => {
    const control = await take();
    control.answer('end', async () => {
      await control.close();
      return new Promise(() => {});
    });
    await expect(askServer(base, { command: 'end' }, PATIENCE_MS)).rejects.toThrow(
      `(pid ${process.pid}) of ${base} closed the connection before it answered: try again`,
    );
  });

  test.each(['nonsense\n', '"text"\n', 'null\n', 'x'.repeat(10_000)])(
    'answers something else than a request with an error, and lives: %#',
    async (text) => {
      await take();
      const socket = net.connect(join(base, 'control.sock'));
      let answer = '';
      socket.on('data', (more) => {
        answer += String(more);
      });
      socket.on('error', () => {});
      socket.write(text);
      await new Promise((resolve) => socket.once('close', resolve));
      expect(answer).toContain('"ok":false');
      expect(await findServer(base)).toBeDefined();
    },
  );
});
