import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../src/common/address.ts';
import { temporaryFolder } from '../support/folder.ts';
import { TextClient } from '../support/text-client.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** npm and npx run on the Node that runs this test. */
const ENV = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };

test('the package, installed from its tarball into an empty folder, serves a CSV by npx', async () => {
  const folder = temporaryFolder();
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT });
  const [tarball] = readdirSync(folder);
  const app = join(folder, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{}');
  writeFileSync(join(app, 'users.csv'), 'id,name\n7,ann\n');
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
  await run('npm', ['install', ...quiet, join(folder, tarball)], { cwd: app, env: ENV });

  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const args = ['--no-install', 'goromdb', 'serve', 'users.csv', '-key', 'id'];
  const npx = spawn('npx', [...args, '-addr', '127.0.0.1:0'], {
    cwd: app,
    env: { ...ENV, TMPDIR: temporary },
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
  expect(log).toContain(`Node ${process.version}`);
  const client = await TextClient.connect(parseAddress(/listens on (\S+?);/.exec(log)![1]));
  expect((await client.get(['7']))[0].value.toString()).toBe('{"id":"7","name":"ann"}');
  client.close();

  const ended = new Promise((resolve) => npx.once('close', resolve));
  end('SIGINT');
  await ended;
  // What npm itself keeps there is not of interest.
  expect(readdirSync(temporary).filter((name) => name.startsWith('goromdb-'))).toEqual([]);
});
