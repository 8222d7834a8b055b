import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { type Address, formatAddress } from '../../src/common/address.ts';
import { bindSocket } from '../../src/server/bound-socket.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';

const BIN = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));

/** Binds as systemd does. It does not listen: this process would accept connections too. */
async function bound(address: Address): Promise<number> {
  const { socket } = await bindSocket(address);
  onTestFinished(() => socket.close());
  return (socket as unknown as { readonly fd: number }).fd;
}

const LOCAL: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };

/** Starts the program with sockets from descriptor 3 on. @returns What it says. */
async function start(
  fds: readonly number[],
  names: string,
  flags: readonly string[],
  until: RegExp,
  base = temporaryFolder(),
): Promise<string> {
  const file = join(base, 'd.json');
  const words = [process.execPath, BIN, '-file', file, ...flags];
  const env = { ...process.env, LISTEN_FDS: String(fds.length), LISTEN_FDNAMES: names };
  const script = 'LISTEN_PID=$$ exec "$@"';
  const child = spawn('sh', ['-c', script, 'sh', ...words], {
    env,
    stdio: ['ignore', 'ignore', 'pipe', ...fds],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  const stderr = child.stdio[2] as NodeJS.ReadableStream;
  for await (const chunk of stderr) {
    said += chunk;
    if (until.test(said)) return said;
  }
  return said;
}

test('a TCP socket of systemd is served by two threads, in place of -addr', async () => {
  const fd = await bound(LOCAL);
  const said = await start([fd], 'goromdb.socket', ['-threads', '2'], /listens on .*\n/);
  const [, port] = /listens on 127\.0\.0\.1:(\d+);/.exec(said)!;
  const client = await RawClient.connect({ kind: 'tcp', host: '127.0.0.1', port: Number(port) });
  expect(await client.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
});

test('a UNIX socket of systemd is served, and one named http answers HTTP', async () => {
  const address: Address = { kind: 'unix', path: join(temporaryFolder(), 's') };
  const [data, http] = [await bound(address), await bound(LOCAL)];
  const flags = ['-http', '127.0.0.1:1'];
  const said = await start([data, http], 'goromdb.socket:http', flags, /listens on .*\n/);
  expect(said).toContain(` listens on unix:${address.path};`);
  const client = await RawClient.connect(address);
  expect(await client.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
  const [, where] = /answers HTTP on (\S+)/.exec(said)!;
  expect((await fetch(`http://${where}/healthz`)).status).toBe(200);
});

test('a socket of systemd named cluster answers clients of a Redis Cluster', async () => {
  const shards = join(temporaryFolder(), 'shards.toml');
  const own = 'name = "a"\nidx = 0\naddress = "127.0.0.1:1"\ncluster-address = "127.0.0.1:2"';
  writeFileSync(shards, `[[shards]]\n${own}\n`);
  const { socket, address } = await bindSocket(LOCAL);
  onTestFinished(() => socket.close());
  const fds = [await bound(LOCAL), (socket as unknown as { readonly fd: number }).fd];
  const flags = ['-shards', shards, '-shard', 'a'];
  const said = await start(fds, 'goromdb.socket:cluster', flags, /listens on .*\n/);
  expect(said).toContain(`; for Redis Cluster on ${formatAddress(address)};`);
  const client = await RawClient.connect(address);
  const asked = '*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n';
  expect(await client.ask(asked, '0-16383\n\r\n')).toContain(' 127.0.0.1:2@0 myself,master ');
});

test('a new process of an upgrade goes on with the socket of systemd, and leaves its file', async () => {
  const address: Address = { kind: 'unix', path: join(temporaryFolder(), 's') };
  const base = temporaryFolder();
  const flags = ['-addr', '127.0.0.1:0'];
  await start([await bound(address)], 'goromdb.socket', flags, /listens on .*\n/, base);
  const command = new GoromdbProcess(['upgrade', '-basedir', base]);
  expect(await command.exit()).toBe(0);
  const pid = Number(/ as pid (\d+) /.exec(command.stdout)![1]);
  onTestFinished(() => void (isAlive(pid) && process.kill(pid, 'SIGKILL')));
  const client = await RawClient.connect(address);
  expect(await client.ask('stats\r\n', 'END\r\n')).toContain(`STAT pid ${pid}\r\n`);
  client.socket.destroy();
  process.kill(pid, 'SIGTERM');
  await expect.poll(() => isAlive(pid), { interval: 5 }).toBe(false);
  expect(existsSync(address.path)).toBe(true);
});

test('sockets without a use are refused', async () => {
  const fds = [await bound(LOCAL), await bound(LOCAL)];
  expect(await start(fds, '', [], /never/)).toMatch(
    /^goromdb: LISTEN_FDS: expected one socket of another name than http, cluster, found 127.*, 127.*/m,
  );
  expect(await start(fds, 'http', [], /never/)).toMatch(/^goromdb: -http: expected it/m);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
