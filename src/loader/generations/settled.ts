import { GoromdbError, isChange, messageOf, mustReject } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import { slotPath } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';
import type { Offer, Verdict } from './source.ts';

/**
 * Does a part of a load; what it throws about the offer becomes a verdict.
 *
 * @param signal What may have stopped it.
 * @throws What says nothing about the file: the source knows what happens next.
 */
export async function settled<Result>(
  parts: LoaderParts,
  offer: Offer,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result | Verdict> {
  try {
    return await work();
  } catch (caught) {
    const error = explained(caught, parts.base.path);
    if (isChange(error)) return { kind: 'changed' };
    if (mustReject(error)) return await reject(parts, offer, error);
    noteFailure(parts, offer, error, signal);
    throw error;
  }
}

async function reject(
  { base, generations, events, logger }: LoaderParts,
  offer: Offer,
  { message, code, numbers }: GoromdbError,
): Promise<Verdict> {
  const { name, path, isLinked } = offer;
  // Scanners name the file in front, others do not.
  const reason = message.startsWith(path) ? message : `${name}: ${message}`;
  const hidden =
    `${name} is refused. Why is in the log of the server and not told here, since the file is reached ` +
    'by a link, or has a second name';
  const whereabouts = await offer.reject(
    isLinked ? { code, reason: hidden } : { code, reason, numbers },
  );
  if (whereabouts === undefined) return { kind: 'changed' };
  const { serving } = generations;
  const now =
    serving === undefined
      ? 'no data is served yet'
      : `generation ${serving.generation} from ${slotPath(base.path, serving.slot)} keeps serving`;
  const line = `rejected ${reason} (${code}); ${whereabouts}; ${now}`;
  logger.error(line);
  events.add('rejected', isLinked ? hidden : line, code);
  return { kind: 'rejected' };
}

function noteFailure(
  { events }: LoaderParts,
  offer: Offer,
  error: unknown,
  { aborted }: AbortSignal,
): void {
  const { name, isLinked } = offer;
  const reason = isLinked ? `loading ${name} failed: see the log` : messageOf(error);
  if (!aborted) {
    events.add('failed', reason, error instanceof GoromdbError ? error.code : 'LOADER_FAILED');
    return;
  }
  events.add('given up', reason);
  offer.tell({
    state: 'waiting',
    code: 'LOADER_FAILED',
    reason: 'its load was stopped: another file has come, or the server has ended',
  });
}
