/** The service under a real systemd, which is the first process of namespaces of its own. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { ROOT } from './program.ts';

/** The packages that goromdb needs, and no others. */
function copyPackages(target: string): void {
  const args = ['ls', '--omit=dev', '--all', '--parseable'];
  const [, ...folders] = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' }).split('\n');
  for (const folder of folders.filter(Boolean)) {
    const to = join(target, relative(ROOT, folder));
    mkdirSync(dirname(to), { recursive: true });
    cpSync(folder, to, { recursive: true });
  }
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

it('systemd starts, reloads, upgrades, watches, restarts and stops the service as it is installed', async () => {
  const folder = temporaryFolder();
  copyPackages(folder);
  copyFileSync(join(ROOT, 'test/deploy/first-process-script.sh'), join(folder, 'script.sh'));
  const args = [join(ROOT, 'test/deploy/first-process.sh'), folder, ROOT, process.execPath];
  const systemd = spawn('sh', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  systemd.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const hasEnded = new Promise((resolve) => systemd.once('exit', resolve));
  const first = (): number => {
    const [child] = read(`/proc/${systemd.pid}/task/${systemd.pid}/children`).trim().split(' ');
    return Number(child);
  };
  onTestFinished(async () => {
    // Of the process of `unshare`: what it has started goes with it.
    if (systemd.exitCode === null && first() > 0) process.kill(first(), 'SIGKILL');
    await hasEnded;
  });
  const report = join(folder, 'report');
  await expect
    .poll(() => (systemd.exitCode === null ? read(report) : `ended: ${said}`))
    .toMatch(/^(?:done|ended): /m);
  expect(read(report).split('\n'), read(join(folder, 'trace'))).toEqual([
    'installed: installed',
    'started: active, serves on 127.0.0.1:11211',
    'serves: v1, generation 1 serves, ready',
    'reloaded: 1 time',
    'upgraded: yes, active, restarts 0, v1',
    'killed: active, restarts 1, v1',
    'stuck: active, restarts 1, v1',
    'by its sockets: v1, active',
    'restarted: v1, refused 0',
    'stopped: inactive, success',
    'done: yes',
    '',
  ]);
});
