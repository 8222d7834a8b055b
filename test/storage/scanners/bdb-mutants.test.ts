import { afterAll, beforeAll, it } from 'vitest';
import { bdbScanner } from '../../../src/storage/formats/bdb/bdb.ts';
import { memcachedbScanner } from '../../../src/storage/formats/bdb/memcachedb.ts';
import { MUTANTS, tryMutants } from '../../support/mutants.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { fixture, fixtureNames, Image } from './bdb-fixture.ts';

let bdb: ScratchFile;
let memcachedb: ScratchFile;
beforeAll(() => {
  bdb = new ScratchFile(bdbScanner);
  memcachedb = new ScratchFile(memcachedbScanner);
});
afterAll(() => {
  bdb.close();
  memcachedb.close();
});

// Pages of 64 KiB are nearly all zeros: a mutant of them tells little and takes long.
const names = [...fixtureNames('bdb'), ...fixtureNames('memcachedb')].filter(
  (name) => !name.includes('64k'),
);

it.each(names)(`gives records or a typed error for ${MUTANTS} mutants of %s`, async (name) => {
  const original = fixture(name);
  const file = name.startsWith('memcachedb') ? memcachedb : bdb;
  const { pageBytes } = new Image(name);
  const hasNames = name.includes('databases');
  const ways = hasNames
    ? [{ bucket: 'users' }, { bucket: 'orders' }, { namespaces: { delimiter: ':' } }]
    : [{}];
  const seal = (bytes: Buffer): void => {
    const image = bytes.length >= 512 ? new Image(name, bytes) : undefined;
    if (image?.pageBytes === pageBytes) image.seal();
  };
  await tryMutants({ name, original, pageBytes, file, ways, seal });
});
