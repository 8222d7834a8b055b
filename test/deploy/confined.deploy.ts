/** What the server asks of the kernel is what the unit allows. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, it, onTestFinished } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { ROOT, run } from './program.ts';

/** V8 asks for a memory protection key, and does without when it gets none (2026-11-28). */
const DOES_WITHOUT = ['pkey_alloc'];

const UNIT = readFileSync(join(ROOT, 'deploy/systemd/goromdb.service'), 'utf8');

function settings(name: string): readonly string[] {
  return [...UNIT.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);
}

/** The groups of system calls that systemd knows, with all members. */
function groupsOfCalls(): (name: string) => readonly string[] {
  const { text } = run('systemd-analyze', ['syscall-filter', '--no-pager']);
  const groups = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('@')) {
      members = [];
      groups.set(line.trim(), members);
    } else if (/^ {4}[@\w]/.test(line)) members.push(line.trim());
  }
  const expand = (name: string): readonly string[] =>
    name.startsWith('@') ? (groups.get(name) ?? []).flatMap(expand) : [name];
  return expand;
}

/** The calls that the unit allows. systemd always allows those of `@default`. */
function allowedCalls(): ReadonlySet<string> {
  const expand = groupsOfCalls();
  const [allowed, refused] = settings('SystemCallFilter');
  const calls = new Set(expand(allowed));
  for (const call of expand(refused.replace('~', ''))) calls.delete(call);
  for (const call of expand('@default')) calls.add(call);
  return calls;
}

/** What a server asks for from its start over a load and a reload to its end, as strace writes it. */
async function traceOfServer(): Promise<string> {
  const folder = temporaryFolder();
  // The server watches its drop folder: a trace there would make it busy with itself.
  const notes = temporaryFolder();
  const trace = join(notes, 'trace');
  const log = join(notes, 'log');
  const file = join(folder, 'data.json');
  const place = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', join(folder, 'base')];
  // With -D the child is the server, and strace the other process.
  const child = spawn(
    'strace',
    [
      ...['-D', '-f', '-q', '-o', trace, process.execPath, join(ROOT, 'bin/goromdb.js')],
      ...[...place, '-threads', '2', '-http', '127.0.0.1:0'],
    ],
    { stdio: ['ignore', 'ignore', openSync(log, 'w')] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const says = (text: string) => expect.poll(() => readFileSync(log, 'utf8')).toContain(text);
  await says('listens on');
  drop(file, '{"k":"1"}');
  await says('generation 1 serves');
  child.kill('SIGHUP');
  await says('reloaded');
  child.kill('SIGTERM');
  await once(child, 'close');
  await expect.poll(() => readFileSync(trace, 'utf8')).toMatch(/\+\+\+ exited with 0 \+\+\+\n$/);
  return readFileSync(trace, 'utf8');
}

it('the server makes no system call and no socket that the unit refuses', async () => {
  const trace = await traceOfServer();
  const made = new Set(
    [...trace.matchAll(/^\d+ +(?:<\.\.\. )?(\w+)[( ]/gm)].map(([, call]) => call),
  );
  expect(made.size).toBeGreaterThan(50);
  const allowed = allowedCalls();
  expect([...made].filter((call) => !allowed.has(call) && !DOES_WITHOUT.includes(call))).toEqual(
    [],
  );
  const families = settings('RestrictAddressFamilies')[0].split(' ');
  for (const [, family] of trace.matchAll(/\bsocket\((AF_\w+)/g))
    expect(families).toContain(family);
});
