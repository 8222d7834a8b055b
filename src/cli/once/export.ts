import { type OutputPlan, writeOutputs } from '../../build/output.ts';
import { GoromdbError } from '../../common/errors.ts';
import type { Etcd, KeyValue } from '../../etcd/etcd.ts';
import { LIST_KEYS_MAX } from '../../etcd/limits.ts';
import { decodeItem } from '../../once/item.ts';
import { keyRange } from '../../once/keys.ts';
import { JsonLineWriter } from '../../storage/formats/json/json-line-writer.ts';
import type { RecordSink } from '../../storage/scanners/scanner.ts';
import type { EtcdPlace } from '../options/etcd.ts';
import { connectPlace } from './place.ts';

/** Bytes of values that a page should have: etcd sends them well within the time of a read. */
const PAGE_BYTES = 8 * 1024 * 1024;
/** Keys of the first page. */
const PAGE_KEYS_MIN = 16;

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
  const { end, ...first } = keyRange(prefix);
  let { key } = first;
  let revision: number | undefined;
  let limit = PAGE_KEYS_MIN;
  for (let keys = 0; ; ) {
    if (signal.aborted) throw new GoromdbError('LOADER_FAILED', 'the export was aborted');
    const outcome = await etcd.range({ key, end, limit, ...(revision && { revision }) });
    if (outcome.kind !== 'done') {
      const isTooMuch =
        limit > 1 && outcome.kind === 'not-done' && outcome.reason === 'unreachable';
      // Values may have become larger, and the page more than etcd sends in time.
      limit = Math.ceil(limit / 16);
      if (isTooMuch) continue;
      throw new GoromdbError('SERVER_FAILED', `etcd: ${outcome.why}; export again`);
    }
    const { records, hasMore } = outcome.value;
    revision ??= outcome.value.revision;
    for (const { key: name, value: bytes, createRevision } of records) {
      const { value, flags } = decodeItem(bytes, createRevision);
      sink.add(name, keyStart, name.length, value, 0, value.length, flags);
    }
    limit = nextLimit(limit, records);
    keys += records.length;
    if (!hasMore || records.length === 0) return { keys, revision };
    // The first key behind the last one.
    key = Buffer.concat([records.at(-1)!.key, Buffer.of(0)]);
  }
}

function nextLimit(limit: number, records: readonly KeyValue[]): number {
  const bytes = records.reduce((sum, { value }) => sum + value.length, 0);
  if (bytes > PAGE_BYTES) return Math.max(1, Math.floor(limit / 2));
  return bytes < PAGE_BYTES / 4 ? Math.min(LIST_KEYS_MAX, limit * 2) : limit;
}
