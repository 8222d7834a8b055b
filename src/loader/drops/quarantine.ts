import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import { isVolumeLink } from '../../watcher/volume-link.ts';
import type { Drop } from '../../watcher/watcher.ts';
import { rejectedPath, type SlotName, setAside, slotPath } from '../slots/slots.ts';
import type { Outcome } from './receipt.ts';
import { takeMark } from './take-away.ts';

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
  const about = drop.isLinked
    ? ({ state: 'rejected', code, reason: hiddenReason(drop) } as const)
    : ({ state: 'rejected', code, reason, numbers } as const);
  const path = rejectedPath(drop.file);
  if (await isVolumeLink(drop.file)) {
    const left = await takeMark(drop);
    const mark = left === undefined ? '' : `; ${left}`;
    const line = `${why}; it stays, since its link leads to a volume's next version, too${mark}; ${now}`;
    return { line, outcome: { ...about, setAside: undefined } };
  }
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

/** What is told of a linked file to those who may not be allowed to read it. */
export function hiddenReason({ file }: Pick<Drop, 'file'>): string {
  return (
    `${file} is refused. Why is in the log of the server and not told here, since the file is reached ` +
    'by a link, or has a second name'
  );
}
