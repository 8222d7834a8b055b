import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, it } from 'vitest';
import { lmdbScanner } from '../../../src/storage/formats/lmdb/lmdb.ts';
import { MUTANTS, tryMutants } from '../../support/mutants.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { FIXTURES, fixture, Image } from './lmdb-fixture.ts';

const BUCKETS: Record<string, string> = { named: 'users', mixed: 'users', strings: 'words' };

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(lmdbScanner);
});
afterAll(() => file.close());

const names = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.mdb'))
  .map((name) => name.replace('.mdb', ''));

it.each(names)(`gives records or a typed error for ${MUTANTS} mutants of %s`, async (name) => {
  const bucket = BUCKETS[name.slice(3)];
  const named = { namespaces: { delimiter: ':' } };
  const ways = bucket === undefined ? [{}] : [{ bucket }, { bucket }, {}, named, named];
  const { pageBytes } = new Image(name);
  await tryMutants({ name, original: fixture(name), pageBytes, file, ways });
});
