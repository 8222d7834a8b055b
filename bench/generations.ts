import type { Running } from './processes.ts';

/** How long a new version may take. */
const TIMEOUT_MS = 300_000;

/** Seconds of each stage of a load, by its name. */
export type StageSeconds = Readonly<Record<string, number>>;

/** The loads in a server's log, the oldest first. */
export function loadsIn(log: string): readonly StageSeconds[] {
  return log
    .split('\n')
    .filter((line) => line.includes(' serves from slot '))
    .map((line) => {
      const stages = line.slice(line.lastIndexOf(';')).matchAll(/(\w+) ([\d.]+) s/g);
      return Object.fromEntries([...stages].map(([, name, seconds]) => [name, Number(seconds)]));
    });
}

/** What a load took with all its stages. */
export function totalOf(stages: StageSeconds): number {
  return Object.values(stages).reduce((sum, seconds) => sum + seconds, 0);
}

/** Waits until a server has loaded so many generations since it was started. */
export async function untilLoaded(server: Running, count: number): Promise<void> {
  const endsAt = performance.now() + TIMEOUT_MS;
  while (loadsIn(server.log()).length < count) {
    if (performance.now() > endsAt) throw new Error(`no new version serves: ${server.log()}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
