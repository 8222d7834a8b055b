/** Damage on the disk: everything comes from the package, the threads are real. */
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Goromdb, type GoromdbOptions, parseAddress, startGoromdb } from 'goromdb';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DataSetStatus, Status } from '../../src/common/status.ts';
import { askServer } from '../../src/control/control-client.ts';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';

interface Subject {
  readonly goromdb: Goromdb;
  readonly logger: CollectingLogger;
  readonly client: RawClient;
  readonly base: string;
  readonly file: string;
}

async function start(options: Partial<GoromdbOptions> = {}): Promise<Subject> {
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  const base = join(folder, 'base');
  const logger = collectingLogger();
  const goromdb = await startGoromdb({
    address: parseAddress('127.0.0.1:0'),
    ...{ file, basedir: base, storage: 'json', logger },
    // As fast as a small file needs it; without a rest.
    scrub: { bytesPerSecond: 1024 * 1024, passPauseMs: 10 },
    ...options,
  });
  onTestFinished(() => goromdb.close());
  const client = await RawClient.connect(goromdb.address);
  return { goromdb, logger, client, base, file };
}

/** The answer to `goromdb status`. */
async function statusOf({ base }: Subject): Promise<DataSetStatus> {
  return ((await askServer(base, { command: 'status' }, 5_000))!.result as Status).dataSets[0];
}

/** Changes a byte inside of a value of the file, where no reader trips over it. */
function spoilValue(path: string): void {
  const bytes = readFileSync(path);
  const at = Math.max(bytes.indexOf('1'.repeat(100)), bytes.indexOf('2'.repeat(100)));
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.from('?'), 0, 1, at + 50);
  closeSync(fd);
}

/** Drops a version: its value, and enough besides that a pass has many slices. */
async function publish({ logger, file }: Subject, generation: number): Promise<void> {
  const rest = Object.fromEntries(
    Array.from({ length: 400 }, (_, i) => [`key:${i}`, `${generation}`.repeat(300)]),
  );
  drop(file, JSON.stringify({ key: `a${generation}`, ...rest }));
  await logged(logger, `generation ${generation} serves from slot`);
}

function logged(logger: CollectingLogger, text: string): Promise<void> {
  return expect.poll(() => logger.lines.join('\n')).toContain(text);
}

function flipByte(path: string): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.from('?'), 0, 1, statSync(path).size >> 1);
  closeSync(fd);
}

async function passes(client: RawClient): Promise<number> {
  const stats = await client.ask('stats\r\n', 'END\r\n');
  return Number(/STAT scrub_passes (\d+)/.exec(stats)?.[1]);
}

describe.each([1, 2])('a scrub, with %i serving threads', (threads) => {
  test('finds nothing in what is sound, over and over', async () => {
    const subject = await start({ threads });
    await publish(subject, 1);
    await expect.poll(() => passes(subject.client)).toBeGreaterThan(1);
    await publish(subject, 2);
    const before = await passes(subject.client);
    await expect.poll(() => passes(subject.client)).toBeGreaterThan(before + 1);
    expect(subject.logger.lines.filter((line) => !line.startsWith('info'))).toEqual([]);
  });

  test('makes a damaged table anew of its file', async () => {
    const subject = await start({ threads });
    await publish(subject, 1);
    spoilValue(join(subject.base, 'data00', 'table.mdb'));
    await logged(subject.logger, ', the table of generation 1, is damaged (');
    await logged(subject.logger, 'generation 1 is loaded again from slot data00');
    const right = await subject.client.ask('gets key:7\r\n', 'END\r\n');
    expect(right).toBe(`VALUE key:7 0 300 1\r\n${'1'.repeat(300)}\r\nEND\r\n`);
    const before = await passes(subject.client);
    await expect.poll(() => passes(subject.client)).toBeGreaterThan(before + 1);
    const stats = await subject.client.ask('stats\r\n', 'END\r\n');
    expect(stats).toContain('STAT scrub_table_faults 1\r\n');
    expect(stats).toContain('STAT scrub_file_faults 0\r\n');
  });

  test('goes back to the previous generation where table and file are damaged', async () => {
    const subject = await start({ threads });
    await publish(subject, 1);
    await publish(subject, 2);
    flipByte(join(subject.base, 'data01', 'data.db'));
    spoilValue(join(subject.base, 'data01', 'table.mdb'));
    const asked = (): Promise<string> => subject.client.ask('gets key\r\n', 'END\r\n');
    await expect.poll(asked).toBe('VALUE key 0 2 1\r\na1\r\nEND\r\n');
    await logged(subject.logger, 'slot data01 cannot be loaded again: ');
    await publish(subject, 3);
    expect(await asked()).toBe('VALUE key 0 2 3\r\na3\r\nEND\r\n');
  });
});

describe('a start', () => {
  /** Two generations, the second of whose tables is damaged among its values. */
  async function damaged(): Promise<Subject> {
    const subject = await start({ scrub: { bytesPerSecond: 0 } });
    for (const generation of [1, 2]) await publish(subject, generation);
    await subject.goromdb.close();
    spoilValue(join(subject.base, 'data01', 'table.mdb'));
    return subject;
  }

  test('checks the table at once that it serves, and makes it anew of its file', async () => {
    const { file, base: basedir } = await damaged();
    const again = await start({ file, basedir, scrub: { bytesPerSecond: 0 } });
    await logged(again.logger, ', the table of generation 2, is damaged (');
    await logged(again.logger, 'generation 2 is loaded again from slot data01');
    const right = await again.client.ask('gets key:7\r\n', 'END\r\n');
    expect(right).toBe(`VALUE key:7 0 300 2\r\n${'2'.repeat(300)}\r\nEND\r\n`);
  });

  test('goes to the other slot where the file is damaged as well', async () => {
    const { file, base: basedir } = await damaged();
    flipByte(join(basedir, 'data01', 'data.db'));
    const again = await start({ file, basedir, scrub: { bytesPerSecond: 0 } });
    const asked = (): Promise<string> => again.client.ask('gets key\r\n', 'END\r\n');
    await expect.poll(asked).toBe('VALUE key 0 2 1\r\na1\r\nEND\r\n');
  });
});

test('a scrub reports a damaged file once, and its table keeps serving, after a restart also', async () => {
  const subject = await start();
  await publish(subject, 1);
  flipByte(join(subject.base, 'data00', 'data.db'));
  await logged(subject.logger, 'data.db is damaged: expected the MD5 ');
  const before = await passes(subject.client);
  await expect.poll(() => passes(subject.client)).toBeGreaterThan(before + 1);
  expect(await subject.client.ask('get key\r\n', 'END\r\n')).toBe('VALUE key 0 2\r\na1\r\nEND\r\n');
  expect(subject.logger.lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
  const damaged = await statusOf(subject);
  expect(damaged.serving?.fileFault).toContain('data.db is damaged: expected the MD5 ');
  expect(damaged.events.at(-1)?.kind).toBe('damaged');
  await publish(subject, 2);
  const { serving } = await statusOf(subject);
  expect(serving).toMatchObject({ slot: 'data01', generation: 2 });
  expect(serving).not.toHaveProperty('fileFault');
  flipByte(join(subject.base, 'data01', 'data.db'));
  await subject.goromdb.close();
  const again = await start({ file: subject.file, basedir: subject.base });
  expect(await again.client.ask('get key\r\n', 'END\r\n')).toBe('VALUE key 0 2\r\na2\r\nEND\r\n');
});

test('a scrub of rate 0 does not happen', async () => {
  const subject = await start({ scrub: { bytesPerSecond: 0 } });
  await publish(subject, 1);
  spoilValue(join(subject.base, 'data00', 'table.mdb'));
  await publish(subject, 2);
  expect(await passes(subject.client)).toBe(0);
});
