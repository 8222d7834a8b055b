import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../src/common/address.ts';
import { installPackage } from '../support/installed.ts';
import { TextClient } from '../support/text-client.ts';

/** Measured 3.1 MB on 2026-11-28. */
const UNPACKED_BYTES_MAX = 4_000_000;

test('the package, installed from its tarball into an empty folder, serves a CSV by npx', async () => {
  const { folder, env, files, unpackedBytes } = await installPackage();
  expect(unpackedBytes).toBeLessThan(UNPACKED_BYTES_MAX);
  const unneeded =
    /^(src|test|bench|node_modules|\.ci|\.cache)\/|\.map$|tsbuildinfo|\.(ts)(?<!\.d\.ts)$/;
  expect(files.filter((file) => unneeded.test(file))).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining(['README.md', 'LICENSE', 'man/goromdb.1', 'docs/images/speed.svg']),
  );

  writeFileSync(join(folder, 'users.csv'), 'id,name\n7,ann\n');
  const args = ['--no-install', 'goromdb', 'serve', 'users.csv', '-key', 'id'];
  const npx = spawn('npx', [...args, '-addr', '127.0.0.1:0'], {
    cwd: folder,
    env,
    // A group of its own, as that of a terminal: Ctrl-C reaches all of it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = (signal: NodeJS.Signals): boolean => process.kill(-npx.pid!, signal);
  onTestFinished(() => {
    if (npx.exitCode === null && npx.signalCode === null) end('SIGKILL');
  });
  let log = '';
  npx.stderr.on('data', (text) => {
    log += text;
  });
  let said = '';
  for await (const text of npx.stdout) {
    said += text;
    if (said.includes('Ctrl-C ends it')) break;
  }
  expect(said, log).toContain('goromdb serves users.csv: 1 key.');
  // It comes by a pipe of its own, and may be read later.
  await expect.poll(() => log).toMatch(/listens on \S+?;/);
  expect(log).toContain(`Node ${process.version}`);
  const client = await TextClient.connect(parseAddress(/listens on (\S+?);/.exec(log)![1]));
  expect((await client.get(['7']))[0].value.toString()).toBe('{"id":"7","name":"ann"}');
  client.close();

  const ended = new Promise((resolve) => npx.once('close', resolve));
  end('SIGINT');
  await ended;
  // What npm itself keeps there is not of interest.
  expect(readdirSync(env.TMPDIR!).filter((name) => name.startsWith('goromdb-'))).toEqual([]);
});
