/** Asks a server again and again while its page is seen, and shows first how things are. */
import { find, mark, say } from './dom.ts';
import { ageText } from './figures.ts';

const POLL_MS = 2_000;
/** After a poll that failed. */
const RETRY_MS = 5_000;

/** What a page asks, and how it shows what it finds. */
export interface Polled<T> {
  /** What answers, such as `server`. */
  readonly what: string;
  /** Of the page, for its title. */
  readonly name: string;
  ask(): Promise<T>;
  show(found: T): void;
}

/** What a page says first. */
interface Summary {
  readonly level: string;
  readonly title: string;
  readonly detail: string;
}

/**
 * One poll at a time; the next one comes by itself while the page is seen.
 *
 * @returns Asks now.
 */
export function startPolling<T>({ what, name, ask, show }: Polled<T>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isPolling = false;
  let answeredAtMs = 0;
  const poll = async (): Promise<void> => {
    if (isPolling) return;
    isPolling = true;
    let waitMs = POLL_MS;
    try {
      const found = await ask();
      answeredAtMs = Date.now();
      mark(document.body, 'data-state', 'live');
      show(found);
    } catch (error) {
      waitMs = RETRY_MS;
      const ago = ageText((Date.now() - answeredAtMs) / 1000);
      const last = answeredAtMs === 0 ? '' : `The last answer came ${ago} ago and is shown below. `;
      const why = error instanceof Error ? error.message : String(error);
      const detail = `${last}It is asked again every ${RETRY_MS / 1000} seconds (${why}).`;
      summarize({ level: 'bad', title: `No answer from the ${what}`, detail }, name);
      mark(document.body, 'data-state', answeredAtMs === 0 ? 'none' : 'stale');
      find('findings', HTMLElement).hidden = true;
    }
    isPolling = false;
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(() => void poll(), waitMs);
  };
  const pollNow = (): void => {
    clearTimeout(timer);
    void poll();
  };
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(timer);
    else pollNow();
  });
  pollNow();
  return pollNow;
}

/** @param place What is shown, for the title of the page. */
export function summarize({ level, title, detail }: Summary, name: string, place = ''): void {
  document.title = level === 'ok' ? `${name} ${place}` : `(!) ${title} – ${name}`;
  mark(find('verdict', HTMLElement), 'data-level', level);
  say(find('verdict-title', HTMLElement), title);
  say(find('verdict-detail', HTMLElement), detail);
}
