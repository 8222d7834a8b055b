import { messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import { readSlots, SLOT_NAMES, type SlotName, type SlotRecord, slotPath } from './slots.ts';

/** What a slot holds, as far as its sum file and record say; the file is not read. */
export interface SlotStatus {
  readonly slot: SlotName;
  readonly path: string;
  /**
   * `serving`; `first`: it would be served at a start; `previous`: a rollback goes there; `empty`;
   * `unreadable`.
   */
  readonly state: 'serving' | 'first' | 'previous' | 'empty' | 'unreadable';
  readonly md5?: string;
  /** Undefined when another program filled the slot. */
  readonly record?: SlotRecord | undefined;
  /** Why it is unreadable. */
  readonly fault?: string;
}

/** @param serving The slot that a running server serves from. */
export async function readSlotStatus(
  baseDir: string,
  serving: SlotName | undefined,
): Promise<readonly SlotStatus[]> {
  const faults = new Map<SlotName, string>();
  const slots = await readSlots(
    baseDir,
    (name, error) => void faults.set(name, messageOf(explained(error, slotPath(baseDir, name)))),
  );
  const first = serving ?? slots.at(0)?.name;
  return SLOT_NAMES.map((slot): SlotStatus => {
    const path = slotPath(baseDir, slot);
    const fault = faults.get(slot);
    if (fault !== undefined) return { slot, path, state: 'unreadable', fault };
    const found = slots.find(({ name }) => name === slot);
    if (found === undefined) return { slot, path, state: 'empty' };
    const state = slot !== first ? 'previous' : serving === undefined ? 'first' : 'serving';
    return { slot, path, state, md5: found.md5, record: found.record };
  });
}
