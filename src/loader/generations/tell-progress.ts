import type { FileLoad } from '../worker/file-loads.ts';
import type { ProgressMemory } from '../worker/progress.ts';
import type { Offer } from './source.ts';

/** How often the progress of a load is told. */
const PROGRESS_INTERVAL_MS = 500;

/** What the worker is to read of an offer, which is told how far it is. */
export function followLoad(offer: Offer): Omit<FileLoad, 'folder'> {
  const { path, md5, identity: expected, isLinked } = offer;
  return { path, md5, expected, isLinked, follow: (progress) => tellProgress(offer, progress) };
}

/** Tells an offer how far its load is. @returns Ends it; whoever calls it has the next word. */
function tellProgress(offer: Offer, progress: ProgressMemory): () => void {
  const size = Number(offer.identity.size);
  const tell = (): void => {
    const { stage, bytes } = progress.read();
    const percent = size > 0 ? Math.min(100, Math.floor((bytes * 100) / size)) : 0;
    offer.tell(
      stage === 'verify' ? { state: 'verifying', percent } : { state: 'loading', stage, percent },
    );
  };
  tell();
  const timer = setInterval(tell, PROGRESS_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
