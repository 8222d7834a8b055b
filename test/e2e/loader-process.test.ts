/** The process that loads: what ends it, and what ends with it. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';

const LIBRARY = new URL('../../dist/index.js', import.meta.url).href;

/** A scanner that takes as long as a file lies beside the dropped one, and then yields one record. */
const HELD = `
  import { existsSync } from 'node:fs';
  export default {
    format: 'held',
    async scan({ path, size }, { onProgress }, sink) {
      while (existsSync(path + '.hold')) onProgress?.(0);
      const value = Buffer.from(String(size));
      sink.add(Buffer.from('k'), 0, 1, value, 0, value.length, 0);
    },
  };`;

/** A user's program: the command line takes no scanner of a user. */
const PROGRAM = `
  import { createLineLogger, parseAddress, startGoromdb } from '${LIBRARY}';
  const [file, basedir, storage] = process.argv.slice(2);
  const logger = createLineLogger((line) => process.stderr.write(line));
  const address = parseAddress('127.0.0.1:0');
  const goromdb = await startGoromdb({ address, file, basedir, storage, logger });
  process.on('SIGHUP', () => goromdb.reload());
  process.on('SIGTERM', () => goromdb.close());
  await goromdb.done;`;

interface Subject {
  readonly server: GoromdbProcess;
  readonly file: string;
  readonly client: RawClient;
  readonly loader: number;
}

/** A server that serves a file of one byte, and is loading one of two. */
async function whileLoading(): Promise<Subject> {
  const folder = temporaryFolder();
  const file = join(folder, 'data.db');
  const scanner = join(folder, 'held.mjs');
  writeFileSync(scanner, HELD);
  const program = join(folder, 'program.mjs');
  writeFileSync(program, PROGRAM);
  const args = [file, join(folder, 'base'), pathToFileURL(scanner).href];
  const server = new GoromdbProcess(args, program);
  const client = await RawClient.connect(await server.address());
  drop(file, '1');
  await server.says(/generation 1 serves/);
  writeFileSync(`${file}.hold`, '');
  drop(file, '22');
  // It is in the scanner when its receipt says so.
  await expect.poll(() => receiptOf(file)).toContain('"scan"');
  const [loader] = childrenOf(server.child.pid!);
  return { server, file, client, loader };
}

function receiptOf(file: string): string {
  return existsSync(`${file}.status.json`) ? readFileSync(`${file}.status.json`, 'utf8') : '';
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').map(Number);
}

test('a loader process that is killed fails one load, and nothing else', async () => {
  const { server, file, client, loader } = await whileLoading();
  process.kill(loader, 'SIGKILL');
  await server.says(/Loading .* failed: .*was ended by SIGKILL/);
  expect(await client.ask('get k\r\n', 'END\r\n')).toBe('VALUE k 0 1\r\n1\r\nEND\r\n');
  expect(existsSync(file)).toBe(true);
  rmSync(`${file}.hold`);
  await server.kill('SIGHUP');
  await server.says(/generation 2 serves/);
  expect(await client.ask('get k\r\n', 'END\r\n')).toBe('VALUE k 0 1\r\n2\r\nEND\r\n');
});

test('a server that is killed takes its loader process with it', async () => {
  const { server, loader } = await whileLoading();
  await server.kill('SIGKILL');
  await expect.poll(() => existsSync(`/proc/${loader}`)).toBe(false);
});

test('signals that are meant for the server leave the loader process alone', async () => {
  const { server, file, loader } = await whileLoading();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.kill(loader, signal);
  }
  rmSync(`${file}.hold`);
  await server.says(/generation 2 serves/);
  expect(server.stderr).not.toMatch(/ error /);
});

test('a server that gets a signal to end does not wait for its load', async () => {
  const { server, loader } = await whileLoading();
  expect(await server.kill('SIGTERM')).toBe(0);
  expect(existsSync(`/proc/${loader}`)).toBe(false);
  expect(server.stderr).not.toMatch(/ error /);
});
