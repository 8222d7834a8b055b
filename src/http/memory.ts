import { readFile } from 'node:fs/promises';
import type { Sample } from './prometheus.ts';

/** Of what resident memory is, by the names of Linux (proc_pid_status(5)). */
const KINDS = { anonymous: 'RssAnon', file: 'RssFile', shared: 'RssShmem' } as const;

/** Resident memory by kind; nothing on other systems. Tables are `file`, on a tmpfs `shared`. */
export async function memorySamples(): Promise<readonly Sample[]> {
  const text = await readFile('/proc/self/status', 'latin1').catch(() => '');
  return Object.entries(KINDS).flatMap(([kind, name]) => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
    if (found === null) return [];
    const help =
      'Resident memory by kind: anonymous is heap and buffers, file is tables. Linux only.';
    const value = Number(found[1]) * 1024;
    return [
      {
        kind: 'gauge',
        name: 'goromdb_resident_kind_bytes',
        help,
        labels: { kind },
        value,
      } as const,
    ];
  });
}
