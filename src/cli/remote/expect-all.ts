import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../common/errors.ts';
import { nameOf } from './http-get.ts';
import { readHttpStatus } from './remote-status.ts';

/** How often each server is asked. */
const POLL_MS = 250;

/**
 * Waits until each of several servers serves a file.
 *
 * @param urls Of their -http.
 * @param endMs When to stop, by `performance.now()`.
 * @param onWait Called with how many of them serve it.
 * @returns Of each that does not serve it, what it does instead. Empty: all serve it.
 */
export async function expectAll(
  urls: readonly URL[],
  md5: string,
  { endMs, onWait }: { readonly endMs: number; readonly onWait: (serving: number) => void },
): Promise<readonly string[]> {
  let waiting = urls;
  for (;;) {
    const looks = await Promise.all(waiting.map((url) => lackOf(url, md5)));
    const lacks = looks.filter((lack) => lack !== undefined);
    waiting = waiting.filter((_, i) => looks[i] !== undefined);
    onWait(urls.length - waiting.length);
    if (lacks.length === 0 || performance.now() >= endMs) return lacks;
    await delay(POLL_MS);
  }
}

/** @returns undefined when a data set of the server serves the file. */
async function lackOf(url: URL, md5: string): Promise<string | undefined> {
  try {
    const { sets } = await readHttpStatus(url);
    if (sets.some(({ serving }) => serving?.md5 === md5)) return undefined;
    const found = sets.map(({ prefix, serving, notes }) => {
      const name = prefix === '' ? '' : `${prefix}: `;
      const what = serving === undefined ? 'nothing' : `md5 ${serving.md5}`;
      return `${name}${[what, ...notes].join('; ')}`;
    });
    return `${nameOf(url)} serves ${found.join(', ') || 'nothing'}`;
  } catch (error) {
    return messageOf(error);
  }
}
