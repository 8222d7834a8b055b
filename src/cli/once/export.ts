import { type OutputPlan, writeOutputs } from '../../build/output.ts';
import { GoromdbError } from '../../common/errors.ts';
import type { Etcd } from '../../etcd/etcd.ts';
import { decodeItem } from '../../once/item.ts';
import { keyPages } from '../../once/pages.ts';
import { JsonLineWriter } from '../../storage/formats/json/json-line-writer.ts';
import type { RecordSink } from '../../storage/scanners/scanner.ts';
import type { EtcdPlace } from '../options/etcd.ts';
import { connectPlace } from './place.ts';

/** What was exported. */
export interface Exported {
  readonly keys: number;
  /** The revision of etcd at which these were the keys. */
  readonly revision: number;
}

/** @param write Takes many lines at once; the bytes are lent for the call. @throws as `exportRecords`. */
export function exportLines(
  place: EtcdPlace,
  write: (lines: Buffer) => void,
  signal: AbortSignal,
): Promise<Exported> {
  return withEtcd(place, async (etcd) => {
    const lines = new JsonLineWriter(write);
    const sink: RecordSink = { add: (...record) => lines.record(...record) };
    const exported = await exportRecords(etcd, place.prefix, sink, signal);
    lines.flush();
    return exported;
  });
}

/** Writes a table file and its sum file. @throws as `exportRecords` and `writeOutputs`. */
export function exportTable(
  place: EtcdPlace,
  path: string,
  signal: AbortSignal,
): Promise<Exported> {
  return withEtcd(place, async (etcd) => {
    let exported: Exported | undefined;
    const plan: OutputPlan = { path, format: 'table', keeps: 'last' };
    await writeOutputs([plan], {
      fill: async ([writer]) => {
        exported = await exportRecords(etcd, place.prefix, writer, signal);
      },
      check: () => {},
    });
    return exported!;
  });
}

async function withEtcd<T>(place: EtcdPlace, use: (etcd: Etcd) => Promise<T>): Promise<T> {
  const etcd = connectPlace(place);
  try {
    return await use(etcd);
  } finally {
    etcd.close();
  }
}

/**
 * Hands on all keys as they are at one revision, in pages. Keys that are created meanwhile are left out.
 *
 * @param prefix What all keys in etcd begin with.
 * @throws GoromdbError SERVER_FAILED when etcd does not answer, or has compacted the revision;
 *   DATA_CORRUPT when another program has written below the prefix; LOADER_FAILED when it is aborted.
 */
export async function exportRecords(
  etcd: Etcd,
  prefix: string,
  sink: RecordSink,
  signal: AbortSignal,
): Promise<Exported> {
  const keyStart = Buffer.byteLength(prefix, 'utf8');
  let exported: Exported = { keys: 0, revision: 0 };
  for await (const { records, revision } of keyPages(etcd, prefix, signal)) {
    for (const record of records) {
      const { key: name } = record;
      const { value, flags } = decodeItem(record);
      sink.add(name, keyStart, name.length, value, 0, value.length, flags);
    }
    exported = { keys: exported.keys + records.length, revision };
  }
  if (signal.aborted) throw new GoromdbError('LOADER_FAILED', 'the export was aborted');
  return exported;
}
