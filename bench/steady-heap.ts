import { withFolder } from './contest.ts';
import { placesFor } from './machine.ts';
import { loadOnce } from './measure.ts';
import type { Effort, Note, SectionResult } from './result.ts';
import { VALUE_BYTES } from './scenarios.ts';
import { startGoromdb } from './servers.ts';

/** Memory of the server before and after a million requests and more. */
export async function steadyHeap({ seconds }: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withFolder(async (folder) => {
    const places = placesFor(1);
    const goromdb = await startGoromdb({ data, threads: 1, cpus: places.server, folder });
    try {
      const options = { ...data, flags: ['-pipeline', '16'], seconds, rounds: 1, places };
      const notes: Note[] = [];
      let requests = 0;
      for (const round of [1, 2, 3, 4]) {
        const report = await loadOnce(goromdb, options);
        requests += report.stats.requests;
        const resident = (report.server!.residentBytes / 1e6).toFixed(1);
        notes.push({ name: `round ${round}: ${requests} requests so far`, text: `${resident} MB` });
      }
      return { rows: [], notes };
    } finally {
      await goromdb.stop();
    }
  });
}
