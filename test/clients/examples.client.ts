/** The programs of examples/read and examples/publish, run as their first lines say. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { TextClient } from '../support/text-client.ts';
import { requirePackages, run, unpacked } from './harness.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CSV = join(ROOT, 'examples/cities.csv');

function example(name: string): string {
  return join(ROOT, 'examples', name);
}

const PYTHON = ['/usr/bin/python3', '-B'] as const;

/** Command, file, and the packages of Debian that it needs. */
const READERS: readonly (readonly [readonly string[], string, readonly string[]])[] = [
  [PYTHON, 'read/read.py', ['python3-pymemcache']],
  [PYTHON, 'read/read-redis.py', ['python3']],
  [['php'], 'read/read.php', ['php-cli', 'php-memcached']],
  [['/usr/bin/ruby'], 'read/read.rb', ['ruby', 'ruby-dalli']],
  [['go', 'run'], 'read/read.go', ['golang-go', 'golang-github-bradfitz-gomemcache-dev']],
  [[process.execPath], 'read/read.mjs', []],
  [['sh'], 'read/read.sh', ['netcat-openbsd']],
];

test.each(READERS)(
  '%j %s prints the values of the keys that are there',
  async (command, name, packages) => {
    if (packages.length > 0) requirePackages(...packages);
    const args = ['serve', CSV, '-key', 'city', '-value', 'people', '-addr', '127.0.0.1:0'];
    const server = new GoromdbProcess(args);
    await server.says(/In another terminal/);
    const address = await server.address();
    const port = address.kind === 'tcp' ? String(address.port) : '';
    const [program, ...first] = command;
    const { stdout, stderr, code } = await run(
      program,
      [...first, example(name), port, 'paris', 'atlantis', 'tokyo'],
      {
        env: {
          ...{ GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: temporaryFolder() },
          PYTHONPATH: unpacked('lib/python3/dist-packages'),
        },
        timeoutMs: 120_000,
      },
    );
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual([
      'paris: 2.1 million',
      'tokyo: 14 million',
    ]);
    expect(code).toBe(0);
  },
);

test('publish.py drops a file that then serves; nightly.sh replaces it', async () => {
  requirePackages('python3');
  const folder = temporaryFolder();
  const drop = join(folder, 'data.db');
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(ROOT, 'bin/goromdb.js'), join(folder, 'bin/goromdb'));
  const server = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', drop]);
  const client = await TextClient.connect(await server.address());
  const value = async (key: string): Promise<string> =>
    (await client.get([key])).at(0)?.value.toString() ?? '';

  const [python, ...flags] = PYTHON;
  const dropped = await run(python, [...flags, example('publish/publish.py'), lines(folder), drop]);
  expect(dropped).toEqual({ stdout: '', stderr: '', code: 0 });
  await server.says(/generation 1 serves/);
  expect(await value('oslo')).toBe('0.7 million');

  const env = { PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
  const nightly = await run('sh', [example('publish/nightly.sh'), CSV, 'city', drop], { env });
  expect(nightly).toEqual({ stdout: '', stderr: '', code: 0 });
  expect(JSON.parse(await value('paris'))).toEqual({ city: 'paris', people: '2.1 million' });
  client.close();
});

/** A file of JSON that a producer has made. */
function lines(folder: string): string {
  const path = join(folder, 'new.json');
  writeFileSync(path, '{"oslo":"0.7 million"}');
  return path;
}
