import { rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { buildTable } from '../../build/build.ts';
import { expandInputs } from '../../build/expand.ts';
import { oneLine } from '../../common/log.ts';
import { keyText } from '../../inspect/key-text.ts';
import { readRecords } from '../../inspect/read-records.ts';
import { createEtcdStore } from '../../once/etcd-store.ts';
import { makePrivateFolder } from '../local/private-folder.ts';
import type { EtcdPlace } from '../options/etcd.ts';
import type { RowRequest } from '../options/rows.ts';
import { buildProgress, keysProgress, standardError } from '../process/build-progress.ts';
import { checkRecords, type Imported, importRecords } from './import.ts';
import { connectPlace } from './place.ts';

/** Conflicts that are named; all are counted. */
const CONFLICTS_SHOWN_MAX = 100;

/** What is imported, and where to. */
export interface ImportRequest {
  readonly inputs: readonly string[];
  readonly rows: RowRequest;
  readonly place: EtcdPlace;
  readonly type: string;
}

/**
 * Makes a table of the inputs in a private folder, which has each key once, and creates its keys.
 *
 * @throws GoromdbError as `buildTable`, `checkRecords` and `importRecords`.
 */
export async function importInputs(request: ImportRequest, signal: AbortSignal): Promise<Imported> {
  const { place, type, rows } = request;
  const table = join(makePrivateFolder('once'), 'import.db');
  const inputs = expandInputs(request.inputs);
  const reading = buildProgress(inputs, standardError());
  const { onProgress } = reading;
  const built = await buildTable({ ...rows, out: table, inputs, onProgress, signal }).finally(
    reading.clear,
  );
  for (const text of built.notices) process.stderr.write(`warning: ${oneLine(text)}\n`);
  const checking = keysProgress(built.keys, standardError(), ' checked');
  await checkRecords(readRecords(table), {
    type,
    signal,
    onProgress: checking.onProgress,
  }).finally(checking.clear);
  const etcd = connectPlace(place);
  const creating = keysProgress(built.keys, standardError());
  let conflicts = 0;
  try {
    return await importRecords(
      readRecords(table),
      createEtcdStore(etcd, { prefix: place.prefix }),
      {
        type,
        signal,
        onProgress: creating.onProgress,
        onConflict(key) {
          if (++conflicts > CONFLICTS_SHOWN_MAX) return;
          creating.clear();
          process.stderr.write(`another value is kept: ${keyText(key)}\n`);
        },
      },
    );
  } finally {
    creating.clear();
    etcd.close();
    rmSync(table, { force: true });
  }
}
