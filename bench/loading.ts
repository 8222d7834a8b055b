import type { GeneratedData } from '../src/traffic/data-set.ts';
import { withFolder } from './contest.ts';
import { drop, makeJson, makeLmdb, md5Of } from './data.ts';
import { loadsIn, type StageSeconds, totalOf, untilLoaded } from './generations.ts';
import { isThere } from './machine.ts';
import { type Figure, figureOf } from './measure.ts';
import type { Effort, Note, SectionResult } from './result.ts';
import { VALUE_BYTES } from './scenarios.ts';
import { fileOf, startGoromdb } from './servers.ts';

const KEYS = 1_000_000;

/** What was measured in one round. */
interface Round {
  /** A load into a server that serves nothing yet. */
  readonly alone: StageSeconds;
  /** A load beside a data set that serves: it rests now and then. */
  readonly beside: StageSeconds;
  readonly startSeconds: number;
}

/**
 * How fast files are loaded, into a server that serves nothing yet and beside a data set that serves,
 * and how long a start with a loaded slot takes.
 */
export async function loading({ keysMax, rounds }: Effort): Promise<SectionResult> {
  const data = { keys: Math.min(KEYS, keysMax), valueBytes: VALUE_BYTES };
  const makers = { JSON: makeJson, ...(isThere('mdb_load', '-V') ? { LMDB: makeLmdb } : {}) };
  const notes: Note[] = [];
  for (const [format, make] of Object.entries(makers)) {
    const measured: Round[] = [];
    while (measured.length < rounds) measured.push(await oneRound(data, make));
    const start = figureOf(measured.map(({ startSeconds }) => startSeconds));
    notes.push(
      {
        name: `${format}, ${data.keys} keys, nothing serves yet`,
        text: speedText(
          data,
          measured.map(({ alone }) => alone),
        ),
      },
      {
        name: `${format}, ${data.keys} keys, beside a data set that serves`,
        text: speedText(
          data,
          measured.map(({ beside }) => beside),
        ),
      },
      { name: `${format}, start with a loaded slot`, text: `${spread(start)} s` },
    );
  }
  return { rows: [], notes };
}

function oneRound(data: GeneratedData, make: typeof makeJson): Promise<Round> {
  return withFolder(async (folder) => {
    const file = fileOf(folder, 'goromdb');
    const dropNext = async (): Promise<void> => {
      make(`${file}.made`, data);
      drop(`${file}.made`, file, await md5Of(`${file}.made`));
    };
    const options = { data, threads: 1, cpus: undefined, folder };
    await dropNext();
    const first = await startGoromdb(options);
    await dropNext();
    await untilLoaded(first, 2);
    await first.stop();
    const [alone, beside] = loadsIn(first.log());
    const startedAt = performance.now();
    // The slot holds the generation; nothing is dropped.
    const second = await startGoromdb(options, 'slot');
    const startSeconds = (performance.now() - startedAt) / 1000;
    await second.stop();
    return { alone, beside, startSeconds };
  });
}

function speedText({ keys }: GeneratedData, loads: readonly StageSeconds[]): string {
  const rate = (secondsOf: (stages: StageSeconds) => number): string =>
    spread(figureOf(loads.map((stages) => keys / secondsOf(stages) / 1e6)));
  const list = Object.keys(loads[0]).map(
    (stage) => `${stage} ${figureOf(loads.map((stages) => stages[stage])).median.toFixed(3)} s`,
  );
  return (
    `scan and index ${rate(({ scan = 0, index = 0 }) => scan + index)} million keys/s; ` +
    `with all stages ${rate(totalOf)} (${list.join(', ')})`
  );
}

function spread({ median, min, max }: Figure): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}
