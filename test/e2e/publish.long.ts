import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

let drops: string;
let base: string;
let file: string;
let source: string;
beforeEach(() => {
  drops = temporaryFolder();
  base = temporaryFolder();
  file = join(drops, 'data.json');
  source = join(temporaryFolder(), 'data.json');
});

async function startServer(): Promise<GoromdbProcess> {
  const flags = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', base];
  const goromdb = new GoromdbProcess(flags);
  await goromdb.address();
  return goromdb;
}

/** Publishes this content, and returns how that ended. */
async function publish(
  content: string,
  ...flags: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  writeFileSync(source, content);
  const { exit, said } = begin(...flags);
  return { code: await exit(), ...said() };
}

function begin(...flags: readonly string[]): {
  exit: () => Promise<number | null>;
  said: () => { stdout: string; stderr: string };
} {
  const run = new GoromdbProcess(['publish', source, file, ...flags]);
  return { exit: () => run.exit(), said: () => ({ stdout: run.stdout, stderr: run.stderr }) };
}

function writeReceipt(path: string, said: object): void {
  writeFileSync(path, JSON.stringify({ file, md5: md5('{"v":"1"}'), ...said }));
}

/** What stays until somebody removes it. */
function leftovers(): string[] {
  return readdirSync(drops).filter((name) => name !== 'data.json.status.json');
}

describe('goromdb publish', () => {
  test('drops the file and ends with 0 when it serves, saying nothing else in a pipe', async () => {
    await startServer();
    expect(await publish('{"v":"1"}')).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^serving: generation 1, 1 key, after \d+\.\d{3} s\n$/),
      stderr: '',
    });
    expect(leftovers()).toEqual([]);
    expect(readFileSync(source, 'utf8')).toBe('{"v":"1"}');
  });

  test('waits for the receipt of this drop, even of the same content as the last one', async () => {
    await startServer();
    // What serves already is not loaded again, unless it is forced.
    for (const flags of [[], [], ['-force']]) {
      const { stdout } = await publish('{"v":"1"}', ...flags);
      expect(stdout).toContain(`generation ${flags.length + 1},`);
    }
  });

  test('guesses no name in a folder, and drops nothing there', async () => {
    writeFileSync(source, '{"v":"1"}');
    const publisher = new GoromdbProcess(['publish', source, drops]);
    expect(await publisher.exit()).toBe(1);
    expect(publisher.stderr).toBe(
      `goromdb: ${drops} is a folder: expected the path of the file that the server waits for, as ` +
        `its -file says, such as ${join(drops, 'data.json')}; nothing was dropped\n`,
    );
    expect(leftovers()).toEqual([]);
  });

  test.each([
    [`${'0'.repeat(32)}  data.json`, 3, /says 0{32}, and the MD5 of the file is [0-9a-f]{32}/],
    ['no sum', 3, /expected the MD5 of data\.json, found "no sum"/],
  ])('drops no file that is not what the sum beside it says: %s', async (sum, exitCode, why) => {
    writeFileSync(`${source}.md5`, sum);
    const { code, stdout, stderr } = await publish('{"v":"1"}', '-timeout', '0');
    expect(stderr).toMatch(why);
    expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' });
    expect(stderr).toMatch(/nothing was dropped\n$/);
    expect(leftovers()).toEqual([]);
  });

  test('asks for the key of a file that has rows', async () => {
    const csv = join(temporaryFolder(), 'users.csv');
    writeFileSync(csv, 'id,name\n1,ann\n');
    const publisher = new GoromdbProcess(['publish', csv, join(drops, 'data.json')]);
    expect(await publisher.exit()).toBe(2);
    expect(publisher.stderr).toMatch(
      /users\.csv has rows: expected -key COLUMN, .* are id, name; nothing was dropped\n$/,
    );
    expect(leftovers()).toEqual([]);
  });

  test('says of a file that is not there that it does not exist, whatever its name', async () => {
    const csv = join(temporaryFolder(), 'users.csv');
    const publisher = new GoromdbProcess(['publish', csv, join(drops, 'data.json')]);
    expect(await publisher.exit()).toBe(1);
    expect(publisher.stderr).toMatch(/users\.csv: it does not exist: /);
    expect(leftovers()).toEqual([]);
  });

  test('takes no input for a DROP that a shell has made of a pattern', async () => {
    const [first, second] = ['1', '2'].map((name) => join(temporaryFolder(), `${name}.csv`));
    for (const path of [first, second]) writeFileSync(path, 'id\n1\n');
    const words = [
      'publish',
      first,
      second,
      join(drops, 'data.json'),
      '-key',
      'id',
      '-timeout',
      '0',
    ];
    const publisher = new GoromdbProcess(words);
    expect(await publisher.exit()).toBe(1);
    expect(publisher.stderr).toMatch(/2\.csv is there, without .*2\.csv\.md5: .*; nothing was d/);
    expect(readFileSync(second, 'utf8')).toBe('id\n1\n');
    expect(leftovers()).toEqual([]);
  });

  test('takes the place of no device or pipe', async () => {
    writeFileSync(source, '{"v":"1"}');
    const pipe = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const publisher = new GoromdbProcess(['publish', source, pipe, '-timeout', '0']);
    expect(await publisher.exit()).toBe(1);
    expect(publisher.stderr).toMatch(
      /pipe is a device, a pipe or a socket: .*; nothing was dropped\n$/,
    );
    expect(lstatSync(pipe).isFIFO()).toBe(true);
  });

  test('ends with 3 and the reason when the file is rejected', async () => {
    await startServer();
    const { code, stdout, stderr } = await publish('{"v":1}');
    expect(code).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^goromdb: rejected: .*expected a string at byte 5, .* \(FORMAT_UNSUPPORTED\)\n$/,
    );
  });

  test('ends with 4 when nobody takes the file, and says what to check', async () => {
    const { code, stderr } = await publish('{"v":"1"}', '-timeout', '150ms');
    expect(code).toBe(4);
    expect(stderr).toMatch(
      /^goromdb: nobody has written .*status\.json within 0\.15 s; the drop stays: check that/,
    );
    expect(leftovers()).toEqual(['data.json', 'data.json.md5']);
  });

  test('ends with 4 and the state when the server cannot take it now', async () => {
    await startServer();
    mkdirSync(join(base, 'data00', 'data.db'));
    const stateOf = async (): Promise<string> => {
      const { code, stderr } = await publish('{"v":"1"}', '-timeout', '3s');
      expect(code).toBe(4);
      return stderr;
    };
    await expect.poll(stateOf).toMatch(/its state is waiting: Loading .* failed: .*data\.db/);
  });

  test('ends with 5 when another file takes its place', async () => {
    writeFileSync(source, '{"v":"1"}');
    const { exit, said } = begin();
    await expect.poll(() => existsSync(`${file}.md5`), { interval: 5 }).toBe(true);
    drop(file, '{"v":"2"}');
    expect(await exit()).toBe(5);
    expect(said().stderr).toContain(`another file took the place of ${file}`);
  });

  test('ends with 5 also when another file has got the inode of its own', async () => {
    writeFileSync(source, '{"v":"1"}');
    const { exit, said } = begin();
    await expect.poll(() => existsSync(`${file}.md5`), { interval: 5 }).toBe(true);
    writeFileSync(file, '{"v":"other"}');
    expect(await exit()).toBe(5);
    expect(said().stderr).toContain(`another file took the place of ${file}`);
  });

  test('puts its sum file in place again when another one was written over it', async () => {
    writeFileSync(source, '{"v":"1"}');
    const { exit, said } = begin();
    await expect.poll(() => existsSync(`${file}.md5`), { interval: 5 }).toBe(true);
    writeFileSync(`${file}.md5`, `${md5('of another publisher')}  data.json\n`);
    const right = `${md5('{"v":"1"}')}  data.json\n`;
    await expect.poll(() => readFileSync(`${file}.md5`, 'utf8')).toBe(right);
    await startServer();
    expect({ code: await exit(), ...said() }).toMatchObject({ code: 0, stderr: '' });
  });

  test('at once with others ends for each of them with 0 or 5, and leaves no file behind', async () => {
    await startServer();
    const sources = ['1', '2', '3', '4'].map((version) => {
      const path = join(temporaryFolder(), 'data.json');
      writeFileSync(path, `{"v":"${version}"}`);
      return path;
    });
    const runs = sources.map((path) => new GoromdbProcess(['publish', path, file]));
    const codes = await Promise.all(runs.map((run) => run.exit()));
    expect(codes.filter((code) => code !== 0 && code !== 5)).toEqual([]);
    expect(codes).toContain(0);
    // A sum that came late may be there: the next one is written over it.
    expect(leftovers().filter((name) => name !== 'data.json.md5')).toEqual([]);
  });

  test.each([
    ['a FIFO', (path: string) => void execFileSync('mkfifo', [path])],
    ['a link to what has no end', (path: string) => symlinkSync('/dev/zero', path)],
    ['a receipt without sense', (path: string) => writeReceipt(path, { state: 'serving' })],
    ['a bar without end', (path: string) => writeReceipt(path, { state: 'loading', percent: 1e9 })],
  ])('waits no longer than it should where the receipt is %s', async (_, put) => {
    put(`${file}.status.json`);
    const { code, stderr } = await publish('{"v":"1"}', '-timeout', '300ms');
    expect(code).toBe(4);
    expect(stderr).toMatch(/^goromdb: nobody has written .*status\.json within 0\.3 s/);
  });

  test('with -timeout 0 drops and does not wait', async () => {
    const { code, stdout } = await publish('{"v":"1"}', '-timeout', '0');
    expect(code).toBe(0);
    expect(stdout).toBe(`dropped ${file}, md5 ${md5('{"v":"1"}')}\n`);
    expect(readFileSync(`${file}.md5`, 'utf8')).toBe(`${md5('{"v":"1"}')}  data.json\n`);
  });

  test('with -force leaves a mark that holds for this file only, and goes with it', async () => {
    await publish('{"v":"1"}', '-timeout', '0', '-force');
    expect(readFileSync(`${file}.force`, 'utf8')).toBe(`${md5('{"v":"1"}')}\n`);
    const server = await startServer();
    await server.says(/generation 1 serves/);
    await expect.poll(leftovers).toEqual([]);
    expect((await publish('[]', '-force')).code).toBe(3);
    expect(leftovers()).toEqual(['data.json.rejected', 'data.json.rejected.md5']);
  });

  test.each([
    ['is not there', (): void => rmSync(source), /ENOENT/],
    [
      'is a folder without files',
      (): void => {
        rmSync(source);
        mkdirSync(source);
      },
      /expected files in the folder, found none/,
    ],
    [
      'is a FIFO',
      (): void => {
        rmSync(source);
        execFileSync('mkfifo', [source]);
      },
      /not a regular file/,
    ],
    [
      'lies where it is to be dropped',
      (): void => {
        rmSync(source);
        writeFileSync(file, '{}');
        symlinkSync(file, source);
      },
      /it lies where it is to be dropped/,
    ],
    ['has no folder to go to', (): void => rmSync(drops, { recursive: true }), /cannot drop /],
  ])('ends with 1 and one line when the file %s', async (_, spoil, message) => {
    writeFileSync(source, '{"v":"1"}');
    spoil();
    const { exit, said } = begin();
    expect(await exit()).toBe(1);
    expect(said().stderr).toMatch(/^goromdb: [^\n]*\n$/);
    expect(said().stderr).toMatch(message);
    if (existsSync(drops)) expect(leftovers().filter((name) => name !== 'data.json')).toEqual([]);
  });
});

describe('goromdb publish with rows', () => {
  async function run(args: readonly string[], input?: string) {
    const child = new GoromdbProcess(['publish', ...args], undefined, input);
    return { code: await child.exit(), stdout: child.stdout, stderr: child.stderr };
  }

  test('builds a table, drops it, and says what has changed', async () => {
    base = drops;
    await startServer();
    const csv = join(temporaryFolder(), 'users.csv');
    writeFileSync(csv, 'id,name\n1,ann\n2,bob\n3,cid\n');
    const args = [csv, '-key', 'id', file];
    expect(await run(args)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^serving: generation 1, 3 keys, after [\d.]+ s\n$/),
    });
    writeFileSync(csv, 'id,name\n1,ann\n2,eve\n4,dan\n5,fay\n');
    const { stdout } = await run(args);
    expect(stdout).toMatch(/generation 2, 4 keys, .*\nchanged: \+2 −1 ~1\n$/);
    writeFileSync(csv, 'id,name\n1,ann\n2,eve\n');
    const told = JSON.parse((await run([...args, '-json'])).stdout);
    expect(told).toMatchObject({
      ...{ drop: file, state: 'serving', generation: 3, keys: 2 },
      diff: { added: 0, removed: 2, changed: 0, same: 2 },
    });
  });

  test('reads standard input, drops it at several places, and ends as the first that fails', async () => {
    await startServer();
    const nobody = join(temporaryFolder(), 'data.db');
    const args = ['-', file, nobody, '-timeout', '20s', '-skip-bad', '1', '-key', 'key'];
    const rows = '{"key":"a b","value":"1"}\n{"key":null,"value":"1"}\n';
    const { code, stdout, stderr } = await run(args, rows);
    expect(code).toBe(4);
    expect(stdout).toMatch(/^\S*data\.json: serving: generation 1, 1 key, after [\d.]+ s\n$/);
    expect(stderr).toContain('1 key has a space or a control character');
    expect(stderr).toContain('warning: left out: -: line 2: ');
    expect(stderr).toContain(`goromdb: nobody has written ${nobody}.status.json`);
    expect(existsSync(nobody)).toBe(true);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('leaves nothing behind when %s ends the build', async (signal, exitCode) => {
    const temporary = temporaryFolder();
    const bin = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));
    const env = { ...process.env, TMPDIR: temporary };
    const child = spawn(process.execPath, [bin, 'publish', '-', file], { env });
    const closed = new Promise((resolve) => child.once('close', resolve));
    // The input does not end.
    child.stdin.write('{"key":"a","value":"b"}\n');
    await expect.poll(() => readdirSync(temporary)).toHaveLength(1);
    child.kill(signal);
    expect(await closed).toBe(exitCode);
    expect(readdirSync(temporary)).toEqual([]);
    expect(leftovers()).toEqual([]);
  });

  test('drops nothing when the rows are bad, and leaves nothing behind', async () => {
    const csv = join(temporaryFolder(), 'users.csv');
    writeFileSync(csv, 'id,name\n1\n');
    expect(await run([csv, '-key', 'id', file])).toEqual({
      code: 3,
      stdout: '',
      stderr: `goromdb: ${csv}: line 2: expected 2 columns as in the first line, found 1; nothing was dropped\n`,
    });
    expect(await run([csv, '-key', 'no', file])).toMatchObject({ code: 3 });
    expect(leftovers()).toEqual([]);
  });
});

test('a warning of what clients will miss is in the log, the receipt, publish and status, also after a restart', async () => {
  const warning =
    "2 keys have a space or a control character, which memcached's text clients cannot ask for; " +
    'the first is "New York", at byte 9';
  const server = await startServer();
  const { code, stderr } = await publish('{"a":"", "New York":"1", "Los Angeles":"2"}');
  expect(code).toBe(0);
  expect(stderr).toContain(`warning: ${warning}\n`);
  await server.says(/warn .*in generation 1 from/);
  expect(server.stderr).toContain(`in generation 1 from ${file}: ${warning}\n`);
  expect(JSON.parse(readFileSync(`${file}.status.json`, 'utf8')).warnings).toEqual([warning]);
  const status = async (): Promise<string> => {
    const run = new GoromdbProcess(['status', '-basedir', base]);
    await run.exit();
    return run.stdout;
  };
  expect(await status()).toContain(`warning: ${warning}\n`);
  await server.kill('SIGKILL');
  const again = await startServer();
  await again.says(/generation 1 serves/);
  expect(again.stderr).toContain(`in generation 1 from ${file}: ${warning}\n`);
  expect(await status()).toContain(`warning: ${warning}\n`);
});
