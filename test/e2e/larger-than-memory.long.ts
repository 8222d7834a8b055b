/** A table of four times the memory that the server may take. */
import { createHash } from 'node:crypto';
import { createReadStream, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { TableWriter } from '../../src/storage/table/table-writer.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { limitMemory } from '../support/memory-group.ts';
import { Random } from '../support/random-bytes.ts';
import { TextClient } from '../support/text-client.ts';

const MEMORY_BYTES = 128 * 2 ** 20;
const VALUE_BYTES = 4_000;
const KEYS = Math.ceil((4 * MEMORY_BYTES) / VALUE_BYTES);
const BATCH = 50;
const ROUNDS = 100;

function valueFor(number: number): Buffer {
  return Buffer.alloc(VALUE_BYTES, `value of ${number}, `);
}

async function makeTable(path: string): Promise<void> {
  const writer = new TableWriter({ path });
  try {
    for (let i = 0; i < KEYS; i++) {
      const key = Buffer.from(`key:${i}`);
      writer.add(key, 0, key.length, valueFor(i), 0, VALUE_BYTES, 0);
    }
    await writer.finish();
  } finally {
    writer.close();
  }
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

test('a table four times as large as the memory is taken and read, and the server stays within', async (context) => {
  const memory = limitMemory(context, MEMORY_BYTES);
  const file = join(temporaryFolder(), 'data.mdb');
  const goromdb = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file]);
  memory.add(goromdb.child.pid!);
  const client = await TextClient.connect(await goromdb.address());
  await makeTable(`${file}.part`);
  expect(statSync(`${file}.part`).size).toBeGreaterThan(4 * MEMORY_BYTES);
  renameSync(`${file}.part`, file);
  writeFileSync(`${file}.md5`, `${await md5Of(file)}  ${basename(file)}\n`);
  await goromdb.says(/generation 1 serves/);

  const random = new Random(1);
  for (let round = 0; round < ROUNDS; round++) {
    const numbers = Array.from({ length: BATCH }, () => random.below(KEYS));
    const hits = await client.get(numbers.map((number) => `key:${number}`));
    expect(hits.map(({ value }) => value)).toEqual(numbers.map(valueFor));
  }
  expect(memory.bytesMax).toBeLessThanOrEqual(MEMORY_BYTES);
  expect(await goromdb.kill('SIGTERM')).toBe(0);
});
