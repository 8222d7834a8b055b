import { join } from 'node:path';
import { TABLE_NAME } from '../../loader/slots/slot-table.ts';
import type { SlotName } from '../../loader/slots/slots.ts';
import { openTableIn } from '../../storage/table/table.ts';
import { openTableMap } from '../../storage/table/table-map.ts';

/** Records that are looked at. */
const LOOKS_MAX = 1000;
/** Longest key that is easy to type. */
const KEY_CHARS_MAX = 60;

/** Of no interest here. */
const INFO = { generation: 0, keys: 0, bytes: 0, md5: '', format: '', loadedAt: 0 };

/**
 * A key of the table in a slot that every client can ask for and a person can type.
 *
 * @returns undefined when there is none among the first {@link LOOKS_MAX}.
 */
export async function someKey(baseDir: string, slot: SlotName): Promise<string | undefined> {
  const map = await openTableMap(join(baseDir, slot, TABLE_NAME));
  const table = await openTableIn(map.parts, INFO, () => map.release());
  let found: string | undefined;
  table.scan?.(0, LOOKS_MAX, (bytes, start, end) => {
    const key = bytes.toString('utf8', start, end);
    if (/^[\w:.@/-]+$/.test(key) && key.length <= KEY_CHARS_MAX) found = key;
    return found === undefined;
  });
  table.close();
  return found;
}
