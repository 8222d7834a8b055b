import type { LoadNews } from '../storage/load-news.ts';

type LoadField = readonly [name: string, value: string | number];

/**
 * What `stats` tells of loads, by name. Each value is one word, since some clients read no more of a line.
 * Times are in seconds since 1970; 0: none.
 */
export function loadFields({ lastError, waiting }: LoadNews): readonly LoadField[] {
  return [
    ['last_load_error', lastError?.code ?? 'none'],
    ['last_load_error_at', Math.floor((lastError?.atMs ?? 0) / 1000)],
    ['drop_waiting', waiting?.code ?? 'none'],
    ['drop_waiting_since', Math.floor((waiting?.sinceMs ?? 0) / 1000)],
  ];
}

/** The same with the texts, for people. */
export function loadDetails(news: LoadNews): readonly LoadField[] {
  return [
    ...loadFields(news),
    ['last_load_error_text', news.lastError?.text ?? 'none'],
    ['drop_waiting_text', news.waiting?.text ?? 'none'],
  ];
}

/** How old the data is, in seconds: it begins with its installation, and a restart does not change it. */
export function ageFields(
  installedAtMs: number | undefined,
  nowMs: number,
): readonly (readonly [name: string, value: number])[] {
  if (installedAtMs === undefined) return [];
  return [
    ['installed_at', Math.floor(installedAtMs / 1000)],
    ['data_age', installedAtMs === 0 ? 0 : Math.max(0, Math.floor((nowMs - installedAtMs) / 1000))],
  ];
}
