import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { Upgradable } from '../support/upgradable.ts';

async function ask(address: Address, key = 'v'): Promise<string> {
  const client = await RawClient.connect(address);
  const answer = await client.ask(`get ${key}\r\n`, 'END\r\n');
  client.socket.destroy();
  return answer.split('\r\n')[1];
}

async function pidOf(address: Address): Promise<number> {
  const client = await RawClient.connect(address);
  const answer = await client.ask('stats\r\n', 'END\r\n');
  return Number(/STAT pid (\d+)/.exec(answer)?.[1]);
}

/** The tables that a process has open. */
function mapsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder)
    .map((fd) => readlinkSync(join(folder, fd)))
    .filter((path) => path.includes('mapping-') && !path.includes('-lock'));
}

describe('goromdb upgrade', () => {
  test('hands over to a new process; an open connection is closed between two requests', async () => {
    const server = new Upgradable();
    const address = await server.address();
    await server.load(1);
    const open = await RawClient.connect(address);
    expect(await open.ask('get v\r\n', 'END\r\n')).toContain('\r\n1\r\n');

    const { code, stdout } = await server.upgrade();
    const pid = server.pids[1];
    expect(stdout).toMatch(
      new RegExp(`^upgraded: goromdb [\\d.]+ serves as pid ${pid} after [\\d.]+ s\n$`),
    );
    expect(code).toBe(0);
    expect(await pidOf(address)).toBe(pid);
    await open.readToEnd();
    await server.hasEnded(server.pids[0]);
    expect(server.old.child.exitCode).toBe(0);

    // A file that only the old one served from must not keep its place on the disk.
    expect(mapsOf(pid)).toHaveLength(1);

    await server.load(2);
    expect(await ask(address)).toBe('2');
    const status = new GoromdbProcess(['status', '-basedir', server.base]);
    expect(await status.exit()).toBe(0);
    expect(status.stdout).toContain(`server   pid ${pid} `);
    process.kill(pid, 'SIGTERM');
    await server.hasEnded(pid);
    await expect(RawClient.connect(address)).rejects.toThrow('ECONNREFUSED');
  });

  test('says why a new process is not ready, and changes nothing', async () => {
    const folder = temporaryFolder();
    const config = join(folder, 'goromdb.toml');
    mkdirSync(join(folder, 'base'));
    const head = 'addr = "127.0.0.1:0"\n';
    const set = `[[data-set]]\nfile = "${folder}/d.json"\nbasedir = "${folder}/base"\n`;
    writeFileSync(config, head + set);
    const server = new Upgradable(['-config', config]);
    const address = await server.address();

    writeFileSync(config, `${head}threads = "many"\n${set}`);
    const refused = await server.upgrade(join(folder, 'base'));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/not upgraded: the new process: .*threads.*; pid \d+ keeps/);
    // The folder of the other data set cannot be made: that shows after the old one has paused.
    writeFileSync(
      config,
      `${head}${set}[[data-set]]\nprefix = "x"\nfile = "${folder}/no/no/d.json"\n`,
    );
    const late = await server.upgrade(join(folder, 'base'));
    expect(late.stderr).toMatch(/not upgraded: the new process: .*\/no.*; pid \d+ keeps serving/);
    expect(await pidOf(address)).toBe(server.pids[0]);
    drop(join(folder, 'd.json'), '{"v":"1"}');
    await server.says(/generation 1 serves/);
    expect(await ask(address)).toBe('1');
  });

  test('says that no server runs', async () => {
    const command = new GoromdbProcess(['upgrade', '-basedir', temporaryFolder()]);
    expect(await command.exit()).toBe(1);
    expect(command.stderr).toMatch(/no server runs in /);
  });
});
