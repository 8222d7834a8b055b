import { GoromdbError, messageOf } from '../errors.ts';
import { explained } from '../system-fault.ts';
import type { Drop } from '../watcher/watcher.ts';
import type { Outcome } from './receipt.ts';
import { rejectedPath, type SlotName, setAside, slotPath } from './slots.ts';

/** What a rejected file came to. */
export interface Rejection {
  readonly line: string;
  readonly outcome: Outcome;
}

/**
 * Puts a bad file out of the way, and says why.
 *
 * @returns undefined when another file is in its place already.
 */
export async function setAsideBad(
  drop: Drop,
  error: GoromdbError,
  baseDir: string,
  serving: { readonly slot: SlotName; readonly generation: number } | undefined,
): Promise<Rejection | undefined> {
  const now =
    serving === undefined
      ? 'no data is served yet'
      : `generation ${serving.generation} from ${slotPath(baseDir, serving.slot)} serves on`;
  const { message, code, numbers } = error;
  // Scanners name the file in front, others do not.
  const reason = message.startsWith(drop.file) ? message : `${drop.file}: ${message}`;
  const why = `rejected ${reason} (${code})`;
  const about = { state: 'rejected', code, reason, numbers } as const;
  const path = rejectedPath(drop.file);
  try {
    await setAside(drop, drop.identity);
    const line = `${why}; set aside as ${path}; ${now}`;
    return { line, outcome: { ...about, setAside: path } };
  } catch (cause) {
    if (cause instanceof GoromdbError && cause.code === 'FILE_CHANGED') return undefined;
    const line = `${why}; it could not be set aside (${messageOf(explained(cause, path))}); ${now}`;
    return { line, outcome: { ...about, setAside: undefined } };
  }
}
