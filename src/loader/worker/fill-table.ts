import { Notices } from '../../common/notices.ts';
import { recognise } from '../../storage/formats/recognise.ts';
import { counted } from '../../storage/scanners/finding.ts';
import { checkedSink, KeyCheck, type KeyRule } from '../../storage/scanners/key-check.ts';
import { printable } from '../../storage/scanners/name-list.ts';
import { type KeyPrefix, NamespaceSink } from '../../storage/scanners/namespaces.ts';
import type { RecordSink, ScanInput } from '../../storage/scanners/scanner.ts';
import type { Repeats } from '../../storage/table/table-index.ts';
import type { TableLayout } from '../../storage/table/table-layout.ts';
import type { TableWriter } from '../../storage/table/table-writer.ts';
import { RecordPlaces } from './record-places.ts';
import type { Source } from './scan-file.ts';
import { longestValue } from './value-limit.ts';

/** How a table is filled. */
export interface Filling {
  /** What all keys begin with; undefined: nothing. */
  readonly prefix?: KeyPrefix | undefined;
  /** What all keys must have. */
  readonly rule?: KeyRule | undefined;
  /** Whether the record of a key is to be in the table. Default: each is. */
  readonly keeps?: ((key: Uint8Array, start: number, end: number) => boolean) | undefined;
  /** Called with how many bytes of the source are scanned. */
  readonly onProgress: (bytes: number) => void;
  /** Called when all records are written, and the index is not. */
  readonly onScanned?: () => void;
  /** Work to do while the disk is busy. */
  readonly whileSyncing?: () => void;
}

/** A table that was written. */
export interface FilledTable {
  readonly layout: TableLayout;
  /** What the owner of the file should know, though it is sound. */
  readonly notices: readonly string[];
}

/**
 * Writes all records of a source to a table.
 *
 * @throws GoromdbError as `Scanner.scan` and `TableWriter`.
 */
export async function fillTable(
  writer: TableWriter,
  source: Source,
  { prefix, rule, keeps, onProgress, onScanned = () => {}, whileSyncing }: Filling,
): Promise<FilledTable> {
  const places = new RecordPlaces();
  const notices = new Notices();
  const check = new KeyCheck(rule);
  const checked = checkedSink(writer, check);
  let leftOut = 0;
  const sink: RecordSink =
    keeps === undefined
      ? checked
      : {
          add(key, keyStart, keyEnd, ...rest) {
            if (keeps(key, keyStart, keyEnd)) checked.add(key, keyStart, keyEnd, ...rest);
            else leftOut++;
          },
        };
  const prefixed = prefix && new NamespaceSink(source.input, 'data set', sink, prefix);
  prefixed?.begin(Buffer.from(prefix!.name));
  await source.scan(prefixed ?? sink, {
    valueBytesMax: longestValue(),
    onProgress,
    onNotice: (text) => notices.add(text),
    onLocator: (locate) => {
      check.locate = locate;
    },
    onRecord: (offset) => places.add(offset),
  });
  onScanned();
  const layout = await writer.finish(whileSyncing);
  const { repeats } = writer;
  if (repeats !== undefined) notices.add(repeatsNotice(source.input, repeats, places));
  for (const notice of check.notices()) notices.add(notice);
  if (leftOut > 0) {
    notices.add(
      `${counted(leftOut, 'record of another shard is', 'records of other shards are')} left out: drop the ` +
        'file of this shard alone, to free their room',
    );
  }
  return { layout, notices: notices.texts };
}

/** Says that keys came more than once, and where the first of them is. */
function repeatsNotice(
  input: ScanInput,
  { count, first, key }: Repeats,
  places: RecordPlaces,
): string {
  const offset = places.offsetOf(first);
  const text = recognise(input).packing === undefined ? '' : ' of the decompressed text';
  const place = offset === undefined ? '' : `, at byte ${offset}${text}`;
  const name = printable(key.toString());
  return `${countNotice(count)}; the first such key is ${name}${place}`;
}

/** Says how many records have a key that came before. */
function countNotice(count: number): string {
  const records = count === 1 ? '1 record has' : `${count} records have`;
  return `${records} a key that came before; the last of each is served`;
}
