import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { blocksIn } from '../docs/blocks.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const BIN = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));

async function run(...args: readonly string[]) {
  const child = new GoromdbProcess(args);
  const code = await child.exit();
  return { code, out: child.stdout, err: child.stderr };
}

/** Two files of a key that differ. */
function files(): { folder: string; one: string; two: string } {
  const folder = temporaryFolder();
  const [one, two] = ['one.json', 'two.json'].map((name) => join(folder, name));
  writeFileSync(one, '{"a":"1","b":"2"}');
  writeFileSync(two, '{"a":"1","b":"3","c":"4"}');
  return { folder, one, two };
}

describe('goromdb check', () => {
  test('ends with 0, 1, 2 or 3', async () => {
    const { folder, one, two } = files();
    const bad = join(folder, 'bad.jsonl');
    writeFileSync(bad, '{"key":"a","value":"b"}\n{"key":1}\n{}\n');
    expect(await run('check', '-against', one, two)).toEqual({
      code: 0,
      out: expect.stringMatching(
        /^\S+two\.json: sound\nformat .*\nmd5 (?:.*\n)+against .*: \+1 −0 ~1\n/,
      ),
      err: '',
    });
    const unsound = await run('check', '-json', bad);
    expect(unsound.code).toBe(1);
    expect(JSON.parse(unsound.out)).toMatchObject({
      verdict: 'unsound',
      errors: [{ code: 'FORMAT_UNSUPPORTED' }, { code: 'DATA_CORRUPT' }],
    });
    expect(await run('check', `${one}.none`)).toMatchObject({ code: 2, out: '' });
    // A guard that has nothing to compare with would let all pass.
    expect(await run('check', '-max-shrink', '5', one)).toMatchObject({
      ...{ code: 2, out: '', err: expect.stringContaining('give -against, too') },
    });
    expect(await run('check', '-min-keys', '3', one)).toMatchObject({
      code: 3,
      out: expect.stringMatching(/: refused\nrefused +expected at least 3 keys/),
    });
  });
});

describe('goromdb get', () => {
  test('prints the value of a key as it is, of several keys lines, and says what is missing', async () => {
    const { one } = files();
    expect(await run('get', one, 'a')).toEqual({ code: 0, out: '1', err: '' });
    expect(await run('get', one, 'b', 'x')).toEqual({
      code: 1,
      out: '{"key":"b","value":"2"}\n{"key":"x","value":null}\n',
      err: `goromdb: ${one} has no key x\n`,
    });
    expect(await run('get', `${one}.none`, 'a')).toMatchObject({ code: 2, out: '' });
  });
});

describe('goromdb diff', () => {
  test('ends with 0, 1 or 2 as diff does', async () => {
    const { one, two } = files();
    expect(await run('diff', one, one)).toEqual({
      code: 0,
      out: '+0 −0 ~0, 2 keys the same\n',
      err: '',
    });
    expect(await run('diff', '-keys', one, two)).toEqual({
      code: 1,
      out: '~ b\n+ c\n+1 −0 ~1, 1 key the same\n',
      err: '',
    });
    expect(await run('diff', '-json', '-keys', two, one)).toMatchObject({
      code: 1,
      out:
        '{"difference":"changed","key":"b"}\n{"difference":"removed","key":"c"}\n' +
        '{"added":0,"removed":1,"changed":1,"same":1}\n',
    });
    expect(await run('diff', one, `${two}.none`)).toMatchObject({ code: 2, out: '' });
  });
});

describe('goromdb dump', () => {
  test('is built to the same file by way of a pipe', async () => {
    const { folder, one } = files();
    const [first, second] = ['first.db', 'second.db'].map((name) => join(folder, name));
    await run('build', '-o', first, one);
    const dump = spawn(process.execPath, [BIN, 'dump', first], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const build = spawn(process.execPath, [BIN, 'build', '-o', second, '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    dump.stdout.pipe(build.stdin);
    expect(await once(build, 'close')).toEqual([0, null]);
    expect(readFileSync(second)).toEqual(readFileSync(first));
  });

  test('ends with 0 when nobody reads any more', async () => {
    const path = join(temporaryFolder(), 'many.jsonl');
    writeFileSync(path, '{"key":"a","value":"b"}\n'.repeat(200_000));
    const child = spawn(process.execPath, [BIN, 'dump', path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text;
    });
    // It is in the middle: a pipe holds less.
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said).toBe('');
  });

  test('says what is wrong with a file', async () => {
    const path = join(temporaryFolder(), 'bad.jsonl');
    writeFileSync(path, '{"key":"a","value":"b"}\n{"key":"a"\n');
    expect(await run('dump', path)).toEqual({
      code: 2,
      out: '{"key":"a","value":"b"}\n',
      err: expect.stringMatching(/^goromdb: .*bad\.jsonl: expected .*line 2.*\n$/),
    });
  });
});

describe('the programs of docs/inspect.md', () => {
  test('print what they read', async () => {
    const folder = temporaryFolder();
    const page = readFileSync(
      fileURLToPath(new URL('../../docs/inspect.md', import.meta.url)),
      'utf8',
    );
    const programs = blocksIn(page).filter(({ language }) => language === 'js');
    const tuesday = join(folder, 'tuesday.jsonl');
    writeFileSync(tuesday, '{"key":"user:42","value":"Ann"}\n{"key":"user:44","value":"Eve"}\n');
    const records = `${JSON.stringify({ 'user:42': 'Ann', 'user:43': 'Ben' })}\n`;
    writeFileSync(join(folder, 'monday.json'), records);
    await run('build', '-o', join(folder, 'monday.db'), join(folder, 'monday.json'));
    let printed = '';
    for (const { lines } of programs) {
      const path = join(folder, 'program.mjs');
      const library = new URL('../../dist/index.js', import.meta.url).href;
      writeFileSync(path, lines.join('\n').replace("'goromdb'", JSON.stringify(library)));
      printed += execFileSync(process.execPath, [path], { cwd: folder, encoding: 'utf8' });
    }
    expect(printed).toBe('user:42: Ann\nuser:44: Eve\n1 are new, 1 are gone\nAnn\n');
  });
});
