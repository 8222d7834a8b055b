import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, it } from 'vitest';
import { boltScanner } from '../../../src/storage/formats/bolt/bolt.ts';
import { MUTANTS, tryMutants } from '../../support/mutants.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { FIXTURES, fixture, Image } from './bolt-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(boltScanner);
});
afterAll(() => file.close());

const names = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.db'))
  .map((name) => name.replace('.db', ''));

it.each(names)(`gives records or a typed error for ${MUTANTS} mutants of %s`, async (name) => {
  const { pageBytes } = new Image(name);
  const bucket = name === 'buckets' ? { bucket: 'users' } : {};
  const ways = [bucket, bucket, {}, { namespaces: { delimiter: '#' } }, bucket];
  const seal = (bytes: Buffer): void => refresh(bytes, pageBytes);
  await tryMutants({ name, original: fixture(name), pageBytes, file, ways, seal });
});

/** Gives the meta pages, wherever a mutant has moved its page size, the right checksums. */
function refresh(bytes: Buffer, pageBytes: number): void {
  if (bytes.length < 2 * pageBytes) return;
  const size = bytes.readUInt32LE(24);
  bytes.writeUInt32LE(pageBytes, 24);
  new Image(bytes).refresh();
  bytes.writeUInt32LE(size, 24);
}
