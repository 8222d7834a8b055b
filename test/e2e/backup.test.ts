import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';
import { TextClient } from '../support/text-client.ts';

async function run(...args: readonly string[]) {
  const one = new GoromdbProcess(args);
  return { code: await one.exit(), stdout: one.stdout, stderr: one.stderr };
}

async function read(address: Address): Promise<string | undefined> {
  const client = await TextClient.connect(address);
  const [hit] = await client.get(['v']);
  client.close();
  return hit?.value.toString();
}

function startOn(base: string): GoromdbProcess {
  const file = join(temporaryFolder(), 'data.json');
  return new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, '-basedir', base]);
}

it('a backup of a running server serves elsewhere, as it is and restored', async () => {
  const folder = temporaryFolder();
  const [base, copy, other] = ['base', 'copy', 'other'].map((name) => join(folder, name));
  const file = join(temporaryFolder(), 'data.json');
  const server = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, '-basedir', base]);
  await server.address();
  drop(file, '{"v":"1"}');
  await server.says(/generation 1 serves/);
  expect(await run('backup', base, copy)).toMatchObject({
    ...{ code: 0, stderr: '' },
    stdout: expect.stringMatching(
      /^backed up to .*copy: generation 1 of slot data00, 1 key, 9 B, md5 \w{32}, of 2/,
    ),
  });
  const again = await run('backup', base, copy, '-json');
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toMatch(/copy is there already/);
  const refused = await run('restore', copy, base);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/is in use by another goromdb \(pid/);

  const restored = await run('restore', copy, other, '-json');
  expect(JSON.parse(restored.stdout)).toMatchObject({ slot: 'data00', record: { generation: 1 } });
  for (const place of [copy, other]) {
    const started = startOn(place);
    expect(await read(await started.address())).toBe('1');
    expect(started.stderr).not.toContain('scan');
  }
});

it.each([
  ['backup', '/one'],
  ['restore', '/one', '/two', '/three'],
  ['backup', '', '/two'],
  ['restore', '/one', '/two', '-force'],
])('%s %s with wrong arguments is refused', (...args) => {
  expect(parseCommandLine(args, '0').kind).toBe('usage-error');
});

it('what is not there is named', async () => {
  const target = join(temporaryFolder(), 'copy');
  const backup = await run('backup', '/nowhere', target);
  expect(backup).toMatchObject({ code: 1 });
  expect(backup.stderr).toMatch(/^goromdb: there is no base folder \/nowhere/);
  const restore = await run('restore', '/nowhere', target);
  expect(restore).toMatchObject({ code: 1 });
  expect(restore.stderr).toMatch(/^goromdb: \/nowhere: expected a folder that goromdb backup/);
  expect(existsSync(target)).toBe(false);
});

it('a restore from a folder that is no backup names what that lacks, and does not tell to create it', async () => {
  const base = temporaryFolder();
  mkdirSync(join(base, 'data00'));
  const { code, stderr } = await run('restore', base, join(temporaryFolder(), 'copy'));
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `goromdb: ${base}: expected a folder that goromdb backup has made: there is no ${base}/SHA256SUMS; nothing was changed\n`,
  });
});
