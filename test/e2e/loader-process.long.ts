/** The process that loads: what ends it, and what ends with it. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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

/** The tables that a process has open. */
function mapsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  const paths = readdirSync(folder).map((fd) => readlinkSync(join(folder, fd)));
  return paths.filter((path) => path.includes('mapping-') && !path.includes('-lock'));
}

/**
 * A server that serves a file of one byte, and is loading one of two.
 *
 * @param isNew Whether it loads in another process than it has loaded the first file in.
 */
async function whileLoading(isNew = false): Promise<Subject> {
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
  if (isNew) await expect.poll(() => childrenOf(server.child.pid!)).toEqual([]);
  writeFileSync(`${file}.hold`, '');
  drop(file, '22');
  // It is in the scanner when its receipt says so. That of the file before may still lie there.
  await expect.poll(() => receiptOf(file)).toMatch(/"bytes": 2,.*"scan"/s);
  // The process of an earlier load may be ending.
  await expect.poll(() => childrenOf(server.child.pid!)).toHaveLength(1);
  const [loader] = childrenOf(server.child.pid!);
  return { server, file, client, loader };
}

function receiptOf(file: string): string {
  return existsSync(`${file}.status.json`) ? readFileSync(`${file}.status.json`, 'utf8') : '';
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

test('a loader process keeps no table open that is served: its room on the disk is free after a swap', async () => {
  const { server, file, loader } = await whileLoading(true);
  expect(mapsOf(server.child.pid!)).toHaveLength(1);
  expect(mapsOf(loader)).toEqual([]);
  rmSync(`${file}.hold`);
  await server.says(/generation 2 serves/);
});

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

/** Has modules with the ending `.scanner` be one that says something, and yields one record. */
const HOOKS = `
  import { register } from 'node:module';
  const source = \`export default { format: 'hooked', async scan(input, options, sink) {
    console.error('the scanner speaks');
    sink.add(Buffer.from('k'), 0, 1, Buffer.from('v'), 0, 1, 0);
  } };\`;
  const load = 'export async function load(url, context, next) {' +
    "if (!url.endsWith('.scanner')) return next(url, context);" +
    "return { format: 'module', shortCircuit: true, source: " + JSON.stringify(source) + ' } };';
  register('data:text/javascript,' + encodeURIComponent(load));`;

test("a user's own scanner is loaded as the program loads modules, and can write to stderr", async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const written = { 'hooks.mjs': HOOKS, 'program.mjs': PROGRAM, 'my.scanner': '' };
  for (const [name, text] of Object.entries(written)) writeFileSync(at(name), text);
  drop(at('data.db'), '1');
  const scanner = pathToFileURL(at('my.scanner')).href;
  const args = [at('hooks.mjs'), at('program.mjs'), at('data.db'), at('base'), scanner];
  const server = new GoromdbProcess(args, '--import');
  await server.says(/generation 1 serves .* of hooked/);
  await server.says(/^the scanner speaks$/m);
});

test('a module of --import that listens to the channel, and lets go of it, stops no load', async () => {
  const folder = temporaryFolder();
  const preload = join(folder, 'preload.mjs');
  writeFileSync(preload, "process.on('message', () => {}); process.channel?.unref();");
  writeFileSync(join(folder, 'program.mjs'), PROGRAM);
  drop(join(folder, 'data.db'), '{"k":"v"}');
  const args = [
    preload,
    join(folder, 'program.mjs'),
    join(folder, 'data.db'),
    join(folder, 'base'),
  ];
  const server = new GoromdbProcess([...args, 'json'], '--import');
  await server.says(/generation 1 serves/);
});

/** A user's own program with seven data sets. */
const SEVEN = `
  import { createLineLogger, parseAddress, startDataSets } from '${LIBRARY}';
  const [folder, storage] = process.argv.slice(2);
  const logger = createLineLogger((line) => process.stderr.write(line));
  const address = parseAddress('127.0.0.1:0');
  const dataSets = [1, 2, 3, 4, 5, 6, 7].map((n) => (
    { prefix: 'set' + n, file: folder + '/' + n, basedir: folder + '/base' + n, storage }));
  await startDataSets({ address, dataSets, logger });`;

test('four data sets are loaded at a time, and the others have their turn', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'held.mjs'), HELD);
  writeFileSync(join(folder, 'program.mjs'), SEVEN);
  const scanner = pathToFileURL(join(folder, 'held.mjs')).href;
  const server = new GoromdbProcess([folder, scanner], join(folder, 'program.mjs'));
  await server.address();
  const files = [1, 2, 3, 4, 5, 6, 7].map((n) => join(folder, String(n)));
  for (const file of files) {
    writeFileSync(`${file}.hold`, '');
    drop(file, '1');
  }
  const inScan = (): readonly string[] =>
    files.filter((file) => receiptOf(file).includes('"scan"'));
  await expect.poll(() => inScan().length).toBe(4);
  await expect.poll(() => files.filter((file) => receiptOf(file) !== '').length).toBe(7);
  expect(childrenOf(server.child.pid!)).toHaveLength(4);
  const [first, second, third] = inScan();
  for (const file of [first, second, third]) rmSync(`${file}.hold`);
  await expect.poll(() => inScan().length).toBe(4);
  expect(childrenOf(server.child.pid!)).toHaveLength(4);
  for (const file of files) rmSync(`${file}.hold`, { force: true });
  for (const file of files) await expect.poll(() => receiptOf(file)).toContain('"serving"');
});

test('a server that is asked to end does not wait for its load', async () => {
  const { server, loader } = await whileLoading();
  expect(await server.kill('SIGTERM')).toBe(0);
  expect(existsSync(`/proc/${loader}`)).toBe(false);
  expect(server.stderr).not.toMatch(/ error /);
});
