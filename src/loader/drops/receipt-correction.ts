import { basename } from 'node:path';
import { see } from '../../common/file-identity.ts';
import type { InService } from '../generations/source.ts';
import type { SlotRecord } from '../slots/slots.ts';
import { rejectedPath, saysSum } from './drop-offer.ts';
import { outcomeOf, type Receipts, readReceipt } from './receipt.ts';

/**
 * A start or a rollback has changed the serving generation, not a drop: the receipt of the last
 * file that came is the last word about that file nevertheless, or is made so.
 *
 * @param file Where files are dropped.
 * @param now The serving generation.
 * @param withdrawn The one that was served before it.
 */
export async function correctReceipt(
  receipts: Receipts,
  file: string,
  now: InService,
  withdrawn?: SlotRecord,
): Promise<void> {
  const last = await readReceipt(file);
  // With a file in its place the receipt is about that file.
  if (last === undefined || (await see(file)).kind !== 'absent') return;
  const { record } = now;
  const { md5, bytes, generation } = record;
  if (last.md5 === md5) {
    const isRight = last.state === 'serving' && last.generation === generation;
    if (!isRight) receipts.say({ file, md5, bytes }, outcomeOf({ state: 'serving', ...now }));
    return;
  }
  if (withdrawn === undefined || last.md5 !== withdrawn.md5) return;
  const reason = `rolled back: the data of generation ${record.restores} serves, as generation ${generation}`;
  const subject = { file, md5: withdrawn.md5, bytes: withdrawn.bytes };
  receipts.say(subject, { state: 'rolled-back', generation, reason });
}

/**
 * A crash may come after a file was quarantined and before its receipt says so; nothing else would.
 *
 * @param file Where files are dropped.
 */
export async function correctRejection(receipts: Receipts, file: string): Promise<void> {
  const last = await readReceipt(file);
  const isUnderWay = last?.state === 'verifying' || last?.state === 'loading';
  if (!isUnderWay || last.md5 === undefined || (await see(file)).kind !== 'absent') return;
  const quarantined = rejectedPath(file);
  if (!(await saysSum(`${quarantined}.md5`, last.md5, basename(file)))) return;
  receipts.say(
    { file, md5: last.md5, ...(last.bytes === undefined ? {} : { bytes: last.bytes }) },
    {
      state: 'rejected',
      code: 'LOADER_FAILED',
      reason:
        'it was refused, and the server ended before it could say why; drop it again to learn it',
      quarantined,
    },
  );
}
