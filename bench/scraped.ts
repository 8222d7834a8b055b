import { compare, type Start, withStarted } from './contest.ts';
import { freePort } from './processes.ts';
import type { Effort, Row, SectionResult } from './result.ts';
import { MAIN, VALUE_BYTES } from './scenarios.ts';
import { startGoromdb, startMemcached } from './servers.ts';

/** How often Prometheus is as impatient as can be. */
const SCRAPE_MS = 1_000;

/** goromdb as it is, and with `-http` while somebody reads all metrics each second. */
export async function scraped(effort: Effort): Promise<SectionResult> {
  const httpPort = await freePort();
  const starts: readonly Start[] = [
    (options) => startGoromdb(options),
    (options) => startMemcached(effort.programs.memcached, options),
    (options) =>
      startGoromdb(options, 'drop', {
        name: 'goromdb, scraped',
        flags: ['-http', `127.0.0.1:${httpPort}`],
      }),
  ];
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withStarted(starts, data, 1, effort, async (contest) => {
    let bytes = 0;
    let scrapes = 0;
    const timer = setInterval(async () => {
      const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`);
      bytes = (await response.text()).length;
      scrapes++;
    }, SCRAPE_MS);
    const rows: Row[] = [];
    try {
      for (const scenario of MAIN) rows.push(await compare(contest, scenario));
    } finally {
      clearInterval(timer);
    }
    return { rows, notes: [{ name: 'scrapes', text: `${scrapes} of ${bytes} bytes` }] };
  });
}
