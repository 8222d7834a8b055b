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

test('spark.py publishes the folder of parts that Spark writes, and nothing of a job that fails', async () => {
  requirePackages('python3');
  const folder = temporaryFolder();
  const drop = join(folder, 'data.db');
  for (const name of ['bin', 'pyspark']) mkdirSync(join(folder, name));
  symlinkSync(join(ROOT, 'bin/goromdb.js'), join(folder, 'bin/goromdb'));
  writeFileSync(join(folder, 'pyspark/__init__.py'), '');
  writeFileSync(join(folder, 'pyspark/sql.py'), SPARK);
  const server = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', drop]);
  const client = await TextClient.connect(await server.address());
  const env = { PATH: `${join(folder, 'bin')}:${process.env.PATH}`, PYTHONPATH: folder };
  const [python, ...flags] = PYTHON;
  const job = (table: string): ReturnType<typeof run> =>
    run(python, [...flags, example('publish/spark.py'), table, 'city', join(folder, table), drop], {
      env,
    });

  expect(await job('cities')).toEqual(expect.objectContaining({ stderr: '', code: 0 }));
  const [{ value }] = await client.get(['oslo']);
  expect(JSON.parse(value.toString())).toEqual({ city: 'oslo', people: '0.7 million' });
  const failed = await job('unfinished');
  expect(failed.stderr).toContain('_SUCCESS');
  expect(failed.code).not.toBe(0);
  client.close();
});

/** In the place of Spark, which Debian does not have: writes a folder as Spark 3 does. */
const SPARK = `
import os

class SparkSession:
    class builder:
        appName = staticmethod(lambda name: SparkSession.builder)
        getOrCreate = staticmethod(lambda: SparkSession())
    write = property(lambda self: self)
    def table(self, name):
        self.name = name
        return self
    def mode(self, mode):
        return self
    def option(self, name, value):
        return self
    def csv(self, folder):
        os.mkdir(folder)
        for part, row in enumerate(["oslo,0.7 million", "rome,2.8 million"]):
            with open(f"{folder}/part-0000{part}-5d0c2f3e-c000.csv", "w") as file:
                print("city,people", row, sep=os.linesep, file=file)
        if self.name != "unfinished":
            open(f"{folder}/_SUCCESS", "w").close()
    def stop(self):
        pass
`;

/** A file of JSON that a producer has made. */
function lines(folder: string): string {
  const path = join(folder, 'new.json');
  writeFileSync(path, '{"oslo":"0.7 million"}');
  return path;
}
