import { basename } from 'node:path';
import { see } from '../../common/file-identity.ts';
import { parseSumFile, readSumFile } from '../../watcher/sum-file.ts';
import { generationOf, type SlotName, type SlotRecord } from '../slots/slots.ts';
import type { Stage } from '../worker/progress.ts';
import { type Outcome, type Receipts, readReceipt } from './receipt.ts';

/** The receipt of a file that serves. */
export function outcomeOf(
  slot: SlotName,
  record: SlotRecord,
  seconds: Partial<Record<Stage, number>>,
): Outcome {
  const { generation, keys, format, warnings } = generationOf(slot, record);
  const told = warnings && { warnings };
  return { state: 'serving', generation, keys, format, slot, seconds, ...told };
}

/**
 * What serves has changed other than by a drop, at a start or by a rollback: the receipt of the last
 * file that came is the last word about that file nevertheless, or is made so.
 *
 * @param file Where files are dropped.
 * @param outcome What the receipt of the file that serves now should say.
 * @param record The generation that serves now.
 * @param withdrawn The one that was served before it.
 */
export async function correctReceipt(
  receipts: Receipts,
  file: string,
  outcome: Outcome,
  record: SlotRecord,
  withdrawn?: SlotRecord,
): Promise<void> {
  const last = await readReceipt(file);
  // With a file in its place the receipt is about that file.
  if (last === undefined || (await see(file)).kind !== 'absent') return;
  const { md5, bytes, generation } = record;
  if (last.md5 === md5) {
    const isRight = last.state === 'serving' && last.generation === generation;
    if (!isRight) receipts.say({ file, md5, bytes }, outcome);
    return;
  }
  if (withdrawn === undefined || last.md5 !== withdrawn.md5) return;
  const reason = `rolled back: the data of generation ${record.restores} serves, as generation ${generation}`;
  const subject = { file, md5: withdrawn.md5, bytes: withdrawn.bytes };
  receipts.say(subject, { state: 'rolled-back', generation, reason });
}

/**
 * A crash may come after a file was set aside and before its receipt says so; nothing else would.
 *
 * @param file Where files are dropped.
 */
export async function correctRejection(receipts: Receipts, file: string): Promise<void> {
  const last = await readReceipt(file);
  const isUnderWay = last?.state === 'verifying' || last?.state === 'loading';
  if (!isUnderWay || last.md5 === undefined || (await see(file)).kind !== 'absent') return;
  const bytes = await readSumFile(`${file}.rejected.md5`).catch(() => undefined);
  if (bytes === undefined || parseSumFile(bytes, basename(file)) !== last.md5) return;
  receipts.say(
    { file, md5: last.md5, ...(last.bytes === undefined ? {} : { bytes: last.bytes }) },
    {
      state: 'rejected',
      code: 'LOADER_FAILED',
      reason:
        'it was refused, and the server ended before it could say why; drop it again to learn it',
      setAside: `${file}.rejected`,
    },
  );
}
