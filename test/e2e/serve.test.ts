import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { TextClient } from '../support/text-client.ts';

const ANY = ['-addr', '127.0.0.1:0'];
const run = promisify(execFile);

let folder: string;
let temporary: string;
let csv: string;
beforeEach(() => {
  folder = temporaryFolder();
  // Paths with blanks and quotes must arrive quoted.
  temporary = join(temporaryFolder(), "it's a folder");
  mkdirSync(temporary);
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(() => void vi.unstubAllEnvs());
  csv = join(folder, 'users.csv');
});

async function serve(...args: readonly string[]): Promise<GoromdbProcess> {
  const server = new GoromdbProcess(['serve', ...ANY, ...args]);
  await server.says(/Ctrl-C ends it/);
  return server;
}

async function read(address: Address, key: string): Promise<string | undefined> {
  const client = await TextClient.connect(address);
  const [hit] = await client.get([key]);
  client.close();
  return hit?.value.toString();
}

/** The commands that it prints. */
function commandsOf({ stdout }: GoromdbProcess): readonly string[] {
  return stdout.match(/(?<=^ {2})\S.*$/gm) ?? [];
}

/** What a printed command for nc answers. There may be no nc here: its input is sent in its stead. */
async function netcat(line: string): Promise<string> {
  const [, command, host, port] = /^(printf .*) \| nc (\S+) (\d+)$/.exec(line)!;
  const { stdout: input } = await run('sh', ['-c', command]);
  const client = await TextClient.connect({ kind: 'tcp', host, port: Number(port) });
  client.send(input);
  return client.readToEnd();
}

async function endOf(...args: readonly string[]): Promise<{ code: number | null; last: string }> {
  const ended = new GoromdbProcess(['serve', ...ANY, ...args]);
  const code = await ended.exit();
  expect(ended.stdout).toBe('');
  expect(readdirSync(temporary)).toEqual([]);
  return { code, last: ended.stderr.trimEnd().split('\n').at(-1)! };
}

describe('goromdb serve', () => {
  test('prints commands that read a key of the file, and serves it again when it changes', async () => {
    writeFileSync(csv, 'id,name\n7,ann\n');
    const server = await serve(csv, '-key', 'id', '-value', 'name');
    const address = await server.address();
    expect(server.stdout).toContain(`goromdb serves ${csv}: 1 key.`);
    const [nc, redis, python] = commandsOf(server);
    expect(await netcat(nc)).toBe('VALUE 7 0 3\r\nann\r\nEND\r\n');
    const { port } = address as Extract<Address, { kind: 'tcp' }>;
    expect(redis).toBe(`redis-cli -p ${port} get 7`);
    expect(python).toBe(
      `python3 -c 'from pymemcache import Client; print(Client("127.0.0.1:${port}").get("7"))'`,
    );

    writeFileSync(join(folder, 'next'), 'id,name\n7,eve\n8,bob\n');
    renameSync(join(folder, 'next'), csv);
    await server.says(/generation 2 serves/);
    expect(await read(address, '7')).toBe('eve');

    writeFileSync(csv, 'id,name\n7,"mal\n');
    await server.says(/error .*users\.csv: .*; the serving generation keeps serving/);
    expect(await read(address, '7')).toBe('eve');

    writeFileSync(csv, 'id,name\n7,zoe\n');
    await server.says(/generation 3 serves/);
    expect(await read(address, '7')).toBe('zoe');
  });

  test('serves a sample when no file is named, and prints how to change it', async () => {
    const server = await serve();
    const [nc, , , change] = commandsOf(server);
    expect(await netcat(nc)).toBe('VALUE data:version 0 1\r\n1\r\nEND\r\n');
    await run('sh', ['-c', change]);
    await server.says(/generation 2 serves/);
    expect(await netcat(nc)).toBe('VALUE data:version 0 1\r\n2\r\nEND\r\n');
  });

  test.each(['SIGINT', 'SIGHUP'] as const)(
    'keeps its data in folders that are its own, and removes them at %s',
    async (signal) => {
      writeFileSync(csv, 'id\n7\n');
      const server = await serve(csv, '-key', 'id');
      const modes = readdirSync(temporary).map((name) => statSync(join(temporary, name)).mode);
      expect(modes.map((mode) => mode & 0o777)).toEqual([0o700]);
      server.child.kill(signal);
      expect(await server.exit()).toBe(0);
      expect(readdirSync(temporary)).toEqual([]);
    },
  );

  test('serves what the server reads as it is, and keeps serving when a guard refuses the next', async () => {
    const json = join(folder, 'data.json');
    writeFileSync(json, '{"a":"1","b":"2"}');
    const server = await serve(json, '-min-keys', '2');
    await server.says(/of json, md5/);
    writeFileSync(json, '{"a":"3"}');
    await server.says(/rejected .*TOO_FEW_KEYS/);
    expect(await read(await server.address(), 'a')).toBe('1');
    writeFileSync(json, '{"a":"4","b":"2"}');
    await server.says(/generation 2 serves/);
  });

  test('serves standard input, and prints no command for a key that is hard to type', async () => {
    const args = ['serve', ...ANY, '-prefix', 'a b:', '-'];
    const server = new GoromdbProcess(args, undefined, '{"key":"1","value":"x"}\n');
    await server.says(/Ctrl-C ends it\.\n\n/);
    expect(server.stdout).toBe('\ngoromdb serves standard input: 1 key.\n\nCtrl-C ends it.\n\n');
  });

  test('ends with 3 when a file is bad at the start, 2 when flags do not fit it, and 1 without it', async () => {
    writeFileSync(csv, 'id,name\n7\n');
    expect(await endOf(csv, '-key', 'id')).toEqual({
      code: 3,
      last: `goromdb: ${csv}: line 2: expected 2 columns as in the first line, found 1`,
    });
    const json = join(folder, 'bad.json');
    writeFileSync(json, '{"a":1}');
    expect(await endOf(json)).toEqual({
      code: 3,
      last: expect.stringMatching(/rejected .*expected a string at byte 5/),
    });
    writeFileSync(csv, 'id,name\n7,x\n');
    expect(await endOf(csv)).toEqual({
      code: 2,
      last:
        `goromdb: ${csv} has rows: expected -key COLUMN, the column that is the key; its columns ` +
        'are id, name',
    });
    expect(await endOf(join(folder, 'none.csv'), '-key', 'id')).toMatchObject({ code: 1 });
  });
});
