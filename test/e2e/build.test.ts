import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { recordsOf } from '../build/records.ts';
import { blocksIn } from '../docs/blocks.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const BIN = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));

async function run(...args: readonly string[]): Promise<{ code: number | null; said: string }> {
  const build = new GoromdbProcess(['build', ...args]);
  const code = await build.exit();
  return { code, said: build.stdout + build.stderr };
}

describe('goromdb build', () => {
  test('ends with 0, 1, 2 or 3, in one line each', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out.db');
    const good = join(folder, 'good.csv');
    const bad = join(folder, 'bad.csv');
    writeFileSync(good, 'id,v\n1,a\n');
    writeFileSync(bad, 'id,v\n1\n');
    const none = join(folder, 'none.csv');
    expect(await run('-o', out, '-key', 'id', good)).toEqual({
      code: 0,
      said: expect.stringMatching(/out\.db: 1 key, .*, md5 [0-9a-f]{32}\n$/),
    });
    const { said } = await run('-o', out, '-key', 'id', '-skip-bad', '9', '-json', good, bad);
    expect(JSON.parse(said)).toMatchObject({
      ...{ out, keys: 1, rejected: 1, warnings: [] },
      firstRejected: [{ file: bad, line: 2 }],
    });
    expect(await run('-o', out, '-key', 'id', none)).toMatchObject({ code: 1 });
    expect(await run('-o', out)).toMatchObject({ code: 2 });
    expect(await run('-o', out, '-value', 'v', good)).toMatchObject({ code: 2 });
    expect(await run('-o', out, '-key', 'id', bad)).toEqual({
      code: 3,
      said: expect.stringMatching(/line 2: .*; nothing was written\n$/),
    });
  });

  test('leaves the old file whole when it is killed in the middle', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out.db');
    writeFileSync(out, 'old');
    const args = [BIN, 'build', '-o', out, '-key', 'id', '-value', 'v', '-'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] });
    const closed = new Promise((resolve) => child.once('close', resolve));
    // More than a pipe holds: when all of it is taken, the build is in the middle.
    const rows = '{"id":"a","v":"b"}\n'.repeat(100_000);
    await new Promise((resolve) => child.stdin.write(rows, resolve));
    child.kill('SIGKILL');
    await closed;
    expect(readFileSync(out, 'utf8')).toBe('old');
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'leaves nothing behind when it is ended by %s',
    async (signal) => {
      const folder = temporaryFolder();
      const out = join(folder, 'out.db');
      writeFileSync(out, 'old');
      const args = [BIN, 'build', '-o', out, '-key', 'id', '-'];
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] });
      const closed = new Promise((resolve) => child.once('close', resolve));
      const said = text(child.stderr);
      // More than a pipe holds, and then it waits for more.
      const rows = '{"id":"a","v":"b"}\n'.repeat(100_000);
      await new Promise((resolve) => child.stdin.write(rows, resolve));
      child.kill(signal);
      expect(await closed).toBe(1);
      expect(await said).toBe('goromdb: the build was aborted\n');
      expect(readdirSync(folder)).toEqual(['out.db']);
      expect(readFileSync(out, 'utf8')).toBe('old');
    },
  );

  test('says in one line that its last line cannot be written', async () => {
    const folder = temporaryFolder();
    const input = join(folder, 'a.csv');
    writeFileSync(input, 'id\n1\n');
    const full = openSync('/dev/full', 'w');
    const args = [BIN, 'build', '-o', join(folder, 'out.db'), '-key', 'id', input];
    const child = spawn(process.execPath, args, { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    const code = new Promise((resolve) => child.once('close', resolve));
    expect(await text(child.stderr as Readable)).toMatch(/^goromdb: no space is left: .*\n$/);
    expect(await code).toBe(1);
  });

  test('as the program of docs/publishing.md does it', async () => {
    const folder = temporaryFolder();
    const page = fileURLToPath(new URL('../../docs/publishing.md', import.meta.url));
    const [program] = blocksIn(readFileSync(page, 'utf8')).filter(
      ({ language }) => language === 'js',
    );
    const path = join(folder, 'program.mjs');
    const library = new URL('../../dist/index.js', import.meta.url).href;
    writeFileSync(path, program.lines.join('\n').replace("'goromdb'", JSON.stringify(library)));
    const printed = execFileSync(process.execPath, [path], { cwd: folder, encoding: 'utf8' });
    expect(printed).toBe('2 keys; 1 left out: line 4: expected a key, found nothing\n');
    expect(await recordsOf(join(folder, 'users.db'))).toEqual({
      'user:42': '{"name":"Ann","city":"Paris"}',
      'user:43': '{"name":"Ben","city":""}',
    });
  });

  test('reads what is compressed from standard input', async () => {
    const out = join(temporaryFolder(), 'out.db');
    const args = [BIN, 'build', '-o', out, '-rows', 'csv', '-key', 'id', '-'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(gzipSync('id,v\n1,a\n2,b\n'));
    const code = new Promise((resolve) => child.once('close', resolve));
    expect(await text(child.stdout)).toContain('2 keys');
    expect(await code).toBe(0);
  });

  test('reads standard input, and the MD5 is that of the file', async () => {
    const out = join(temporaryFolder(), 'out.db');
    const child = spawn(process.execPath, [BIN, 'build', '-o', out, '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin.end('{"key":"a","value":"b"}\n');
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
    const md5 = createHash('md5').update(readFileSync(out)).digest('hex');
    expect(readFileSync(`${out}.md5`, 'utf8')).toBe(`${md5}  out.db\n`);
  });
});
