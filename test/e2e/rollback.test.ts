import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { loadsAreDone } from '../support/loads.ts';
import { TextClient } from '../support/text-client.ts';

let base: string;
let file: string;
beforeEach(() => {
  base = temporaryFolder();
  file = join(temporaryFolder(), 'data.json');
});

async function startServer(
  ...flags: readonly string[]
): Promise<{ process: GoromdbProcess; address: Address }> {
  const common = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', base];
  const process = new GoromdbProcess([...common, ...flags]);
  return { process, address: await process.address() };
}

async function read(address: Address): Promise<string | undefined> {
  const client = await TextClient.connect(address);
  const [hit] = await client.get(['v']);
  client.close();
  return hit?.value.toString();
}

async function run(
  command: string,
  ...flags: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const process = new GoromdbProcess([command, '-basedir', base, ...flags]);
  return { code: await process.exit(), stdout: process.stdout, stderr: process.stderr };
}

async function dropTwo(server: GoromdbProcess): Promise<void> {
  for (const v of [1, 2]) {
    drop(file, `{"v":"${v}"}`);
    await server.says(new RegExp(`generation ${v} serves`));
  }
  await loadsAreDone(await server.address(), 2);
}

describe('goromdb rollback', () => {
  test.each(['1', '2'])(
    'has a running server with %s threads serve the data before, after a restart also, without a load',
    async (threads) => {
      const { process, address } = await startServer('-threads', threads);
      await dropTwo(process);
      const { code, stdout } = await run('rollback');
      const [line] = await process.says(/generation 3 serves .*/);
      expect(line).toMatch(/; swap [\d.]+ s$/);
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /^rolled back: the data of generation 1 \(1 key, from .*data\.json\) serves as generation 3 since now, after \d/,
      );
      expect(await read(address)).toBe('1');
      await process.kill('SIGKILL');
      const next = await startServer();
      expect(await read(next.address)).toBe('1');
      await run('rollback');
      expect(await read(next.address)).toBe('2');
      expect(next.process.stderr).not.toContain('scan');
    },
  );

  test('without a server has the next start serve the data before, and can be undone', async () => {
    const { process } = await startServer();
    await dropTwo(process);
    await process.kill('SIGTERM');
    const { code, stdout } = await run('rollback', '-json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ running: false, slot: 'data00' },
      record: { generation: 3, restores: 1 },
    });
    const next = await startServer();
    expect(await read(next.address)).toBe('1');
    await next.process.kill('SIGTERM');
    await run('rollback');
    const last = await startServer();
    expect(await read(last.address)).toBe('2');
  });

  test('is refused with 1 and the reason when there is nothing to go back to', async () => {
    expect(await run('rollback')).toEqual({
      ...{ code: 1, stdout: '' },
      stderr: `goromdb: there is no rollback: no slot in ${base} holds a generation\n`,
    });
    const { process, address } = await startServer('-keep-previous', 'no');
    await dropTwo(process);
    const refused =
      /^goromdb: there is no rollback: slot data00 holds no generation to go back to\n$/;
    expect(await run('rollback')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(refused),
    });
    expect(await read(address)).toBe('2');
    await process.kill('SIGTERM');
    expect(await run('rollback')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(refused),
    });
  });

  test('without a server is refused when the data before is damaged, or has no record', async () => {
    const { process } = await startServer();
    await dropTwo(process);
    await process.kill('SIGTERM');
    writeFileSync(join(base, 'data00', 'data.db'), '{"v":"9"}');
    rmSync(join(base, 'data00', 'table.mdb'));
    expect((await run('rollback')).stderr).toContain(
      `is damaged: expected the MD5 ${md5('{"v":"1"}')} of its sum file, found ${md5('{"v":"9"}')}`,
    );
    rmSync(join(base, 'data00', 'generation.json'));
    utimesSync(join(base, 'data00', 'data.db'), 1, 1);
    expect((await run('rollback')).stderr).toContain('another program filled slot data00');
    const next = await startServer();
    expect(await read(next.address)).toBe('2');
  });
});

describe('goromdb status', () => {
  test('shows a running server, its slots, and the last events', async () => {
    const { process } = await startServer();
    await dropTwo(process);
    drop(file, '[]');
    await process.says(/rejected/);
    const { code, stdout } = await run('status');
    expect(code).toBe(0);
    const pid = process.child.pid!;
    expect(stdout).toMatch(
      new RegExp(`^server {3}pid ${pid} on .*, since .*, on 127.0.0.1:\\d+$`, 'm'),
    );
    expect(stdout).toContain(`waits    for ${file}\n`);
    expect(stdout).toContain('serves   generation 2 from slot data01\n');
    expect(stdout).toMatch(/^data00 {3}previous: generation 1, 1 key, 9 B of json, md5 /m);
    expect(stdout).toMatch(/^data01 {3}serving: generation 2, 1 key, 9 B of json, md5 /m);
    expect(stdout).toMatch(/ rejected: rejected .*\n$/);
  });

  test('shows the same without a server, and JSON', async () => {
    const { process } = await startServer();
    await dropTwo(process);
    await process.kill('SIGTERM');
    const { stdout } = await run('status');
    expect(stdout).toMatch(/^no server runs here\n/);
    expect(stdout).toMatch(/^data01 {3}serves at the next start: generation 2/m);
    const status = JSON.parse((await run('status', '-json')).stdout);
    expect(status.slots).toMatchObject([
      { slot: 'data00', state: 'previous', record: { generation: 1 } },
      { slot: 'data01', state: 'first', record: { generation: 2 } },
    ]);
    expect(status.events.map(({ kind }: { kind: string }) => kind)).toEqual([
      ...['started', 'serving', 'serving', 'closed'],
    ]);
  });

  test('keeps ten events', async () => {
    for (let start = 0; start < 6; start++) await (await startServer()).process.kill('SIGTERM');
    const { events } = JSON.parse((await run('status', '-json')).stdout);
    expect(events).toHaveLength(10);
  });

  test('of a folder that is not there is one line', async () => {
    rmSync(base, { recursive: true });
    const { code, stderr } = await run('status');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^goromdb: there is no base folder .*: check -basedir\n$/);
  });
});
