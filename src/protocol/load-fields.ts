import type { LoadNews } from '../storage/load-news.ts';

/** What `stats` and `INFO` tell of loads, by name. Times are in seconds since 1970; 0: none. */
export function loadFields({
  lastError,
  waiting,
}: LoadNews): readonly (readonly [name: string, value: string | number])[] {
  return [
    ['last_load_error', lastError?.text ?? 'none'],
    ['last_load_error_at', Math.floor((lastError?.atMs ?? 0) / 1000)],
    ['drop_waiting', waiting?.code ?? 'none'],
    ['drop_waiting_since', Math.floor((waiting?.sinceMs ?? 0) / 1000)],
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
