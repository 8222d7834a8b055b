import { execFileSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { type GeneratedData, generatedKey } from '../src/traffic/data-set.ts';
import { withFolder } from './contest.ts';
import { drop, makeJson, md5Of } from './data.ts';
import { loadsIn, totalOf, untilLoaded } from './generations.ts';
import { type Figure, figureOf } from './measure.ts';
import { has } from './processes.ts';
import type { Effort, Note, SectionResult } from './result.ts';
import { VALUE_BYTES } from './scenarios.ts';
import { fileOf, startGoromdb } from './servers.ts';

const KEY_COUNTS = [1_000_000, 10_000_000] as const;

/** What one process did. */
interface Start {
  /** From `exec` to the first right answer. */
  readonly answerMs: number;
  /** Of a rollback right after the start, as the server measures it. */
  readonly rollbackMs: number;
}

/** How long a start takes whose data is in the page cache, and a rollback after it. */
export async function starting({ keysMax, rounds }: Effort): Promise<SectionResult> {
  const notes: Note[] = [];
  for (const keys of KEY_COUNTS.filter((count) => count <= keysMax)) {
    const starts = await startsOf({ keys, valueBytes: VALUE_BYTES }, rounds);
    const spread = (of: (start: Start) => number): string => text(figureOf(starts.map(of)));
    notes.push(
      { name: `${keys} keys: exec to the first right answer`, text: spread((one) => one.answerMs) },
      { name: `${keys} keys: rollback`, text: spread((one) => one.rollbackMs) },
    );
  }
  return { rows: [], notes };
}

function startsOf(data: GeneratedData, rounds: number): Promise<readonly Start[]> {
  return withFolder(async (folder) => {
    const options = { data, threads: 1, cpus: undefined, folder };
    const file = fileOf(folder, 'goromdb');
    const first = await startGoromdb(options);
    makeJson(`${file}.made`, { ...data, keys: data.keys - 1 });
    drop(`${file}.made`, file, await md5Of(`${file}.made`));
    await untilLoaded(first, 2);
    await first.stop();
    const starts: Start[] = [];
    while (starts.length < rounds) starts.push(await startOnce(options));
    return starts;
  });
}

async function startOnce(options: Parameters<typeof startGoromdb>[0]): Promise<Start> {
  const startedAt = performance.now();
  const server = await startGoromdb(options, 'slot');
  try {
    while (!(await has(server.port, generatedKey(0)))) await new Promise(setImmediate);
    const answerMs = performance.now() - startedAt;
    const base = dirname(fileOf(options.folder, 'goromdb'));
    execFileSync(process.execPath, [resolve('bin/goromdb.js'), 'rollback', '-basedir', base]);
    await untilLoaded(server, 2);
    return { answerMs, rollbackMs: totalOf(loadsIn(server.log())[1]) * 1000 };
  } finally {
    await server.stop();
  }
}

function text({ median, min, max }: Figure): string {
  return `${median.toFixed(0)} ms (${min.toFixed(0)}–${max.toFixed(0)})`;
}
