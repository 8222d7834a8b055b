import { tableScanner } from '../storage/formats/table.ts';
import { forEachServed } from './diff.ts';
import { keyText } from './key-text.ts';
import type { RecordTable } from './record-table.ts';
import { type SizeCount, Sizes } from './sizes.ts';

/** Keys of a sample, where nothing else is said. */
const SAMPLE_MAX = 5;

/** What a sound file holds, and what it takes to serve it. */
export interface Contents {
  readonly keys: number;
  /** Those whose key came again later among them. */
  readonly records: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly longestKeyBytes: number;
  readonly longestValueBytes: number;
  readonly keySizes: readonly SizeCount[];
  readonly valueSizes: readonly SizeCount[];
  /** Size of the table that is served: of the page cache it takes as much as is in use. */
  readonly tableBytes: number;
  /** What a slot takes on disk: the table, and the file unless that is the table. */
  readonly slotBytes: number;
  /** Private memory of the index during a load. */
  readonly loadBytes: number;
  /** Some keys, as `goromdb diff` prints them, from all over the file. */
  readonly sample: readonly string[];
}

/** @param fileBytes Size of the file that the table was made of. */
export function contentsOf(
  table: RecordTable,
  fileBytes: number,
  sampleMax: number = SAMPLE_MAX,
): Contents {
  const { keys, records, bytes: tableBytes, index } = table.layout;
  const [keySizes, valueSizes] = [new Sizes(), new Sizes()];
  const sample: string[] = [];
  const step = Math.max(1, Math.ceil(keys / Math.max(1, sampleMax)));
  let number = 0;
  forEachServed(table, ({ bytes, keys, values }, i) => {
    const [start, end] = [keys[2 * i], keys[2 * i + 1]];
    keySizes.add(end - start);
    valueSizes.add(values[2 * i + 1] - values[2 * i]);
    if (number++ % step === 0 && sample.length < sampleMax) {
      sample.push(keyText(bytes.subarray(start, end)));
    }
  });
  const isTable = table.format === tableScanner.format;
  return {
    ...{ keys, records, keyBytes: keySizes.bytes, valueBytes: valueSizes.bytes },
    ...{ longestKeyBytes: keySizes.longest, longestValueBytes: valueSizes.longest },
    ...{ keySizes: keySizes.counts, valueSizes: valueSizes.counts },
    ...{ tableBytes, slotBytes: isTable ? fileBytes : fileBytes + tableBytes },
    ...{ loadBytes: index.bytes, sample },
  };
}
