/** The programs of examples/library: what a user of the package copies must run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { TextClient } from '../support/text-client.ts';

function example(name: string): string {
  return fileURLToPath(new URL(`../../examples/library/${name}`, import.meta.url));
}

async function valueAt(client: TextClient, key: string): Promise<string | undefined> {
  return (await client.get([key])).at(0)?.value.toString();
}

test('squares.mjs serves a storage of its own', async () => {
  const program = new GoromdbProcess(['127.0.0.1:0'], example('squares.mjs'));
  const client = await TextClient.connect(await program.address());
  expect(await valueAt(client, '111111111')).toBe('12345678987654321');
  expect(await valueAt(client, 'x')).toBeUndefined();
  client.close();
  expect(await program.kill('SIGTERM')).toBe(0);
});

test.each([
  ['embed.mjs', '{"paris":"2.1 million"}', 'json'],
  ['serve-pairs.mjs', 'paris=2.1 million\n', 'pairs'],
])('%s serves what is dropped, and ends when it is asked to', async (name, content, format) => {
  const folder = temporaryFolder();
  const file = join(folder, 'data.db');
  drop(file, content);
  const program = new GoromdbProcess([file, folder, '127.0.0.1:0'], example(name));
  await program.says(new RegExp(`generation 1 serves .* of ${format},`));
  const client = await TextClient.connect(await program.address());
  expect(await valueAt(client, 'paris')).toBe('2.1 million');
  client.close();
  expect(await program.kill('SIGTERM')).toBe(0);
});

test('serve-pairs.mjs quarantines a file that its scanner refuses', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'data.db');
  drop(file, 'no pair\n');
  const program = new GoromdbProcess([file, folder, '127.0.0.1:0'], example('serve-pairs.mjs'));
  await program.says(/rejected .*line 1: expected a "=" \(DATA_CORRUPT\)/);
  await program.says(/quarantined as/);
  expect(readFileSync(`${file}.rejected`, 'utf8')).toBe('no pair\n');
});
