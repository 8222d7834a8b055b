/** `npm run bench`: compares goromdb with memcached and other servers on this machine. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkRatios } from './gate.ts';
import { describeMachine, type Programs } from './machine.ts';
import { endServersAtExit } from './processes.ts';
import { plots, type Results, reportText } from './report.ts';
import { SECTIONS } from './sections.ts';
import { requirePrograms } from './servers.ts';

const HELP = `npm run bench -- [flags]
  --short          under a minute: fails when a CPU ratio is far above bench/ratios.json
  --only A,B       only these sections: ${Object.keys(SECTIONS).join(', ')}
  --seconds N      how long each run measures (default 3)
  --rounds N       how often the servers take turns (default 3)
  --keys-max N     leave out what needs more keys (default 10000000)
  --memcached PATH the memcached to compare with (default: the one in PATH)
  --redis PATH     compare with this redis-server too
  --go-goromdb PATH  compare with the program in Go that goromdb began as, too
  --out DIR        where the report goes (default bench/report)
`;

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    'keys-max': { type: 'string', default: '10000000' },
    memcached: { type: 'string', default: 'memcached' },
    redis: { type: 'string' },
    'go-goromdb': { type: 'string' },
    out: { type: 'string', default: 'bench/report' },
    help: { type: 'boolean', default: false },
  },
});

/** The form of the results that are kept for the report; those of another form are dropped. */
const FORM = 2;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function runShort({ memcached }: Programs): Promise<void> {
  const programs = { memcached, redis: undefined, goGoromdb: undefined };
  const { rows } = await SECTIONS.main({ seconds: 1, rounds: 3, keysMax: 100_000, programs });
  const { lines, isGood } = checkRatios(rows, resolve('bench/ratios.json'));
  for (const line of lines) say(line);
  if (!isGood) process.exitCode = 1;
}

/** Sections that were measured earlier stay in the report until they are measured again. */
async function runSections(
  names: readonly string[],
  folder: string,
  programs: Programs,
): Promise<void> {
  const effort = {
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    keysMax: Number(values['keys-max']),
    programs,
  };
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'results.json');
  let results = earlierResults(path);
  for (const name of names) {
    say(`measuring: ${name}`);
    const machine = describeMachine(programs);
    const result = await SECTIONS[name](effort);
    results = { ...results, [name]: { machine, result } };
    writeFileSync(path, `${JSON.stringify({ form: FORM, results }, undefined, 1)}\n`);
    writeFileSync(join(folder, 'report.md'), reportText(results));
    for (const [file, svg] of Object.entries(plots(results)))
      writeFileSync(join(folder, file), svg);
  }
  say(`the report is in ${join(folder, 'report.md')}`);
}

function earlierResults(path: string): Results {
  if (!existsSync(path)) return {};
  const { form, results } = JSON.parse(readFileSync(path, 'utf8'));
  return form === FORM ? results : {};
}

const names = values.only?.split(',') ?? Object.keys(SECTIONS);
const unknown = names.find((name) => !Object.hasOwn(SECTIONS, name));
if (values.help || unknown !== undefined) {
  say(unknown === undefined ? HELP : `there is no section ${JSON.stringify(unknown)}\n${HELP}`);
  if (unknown !== undefined) process.exitCode = 2;
} else {
  try {
    endServersAtExit();
    const programs = {
      memcached: values.memcached,
      redis: values.redis,
      goGoromdb: values['go-goromdb'],
    };
    requirePrograms(programs);
    await (values.short ? runShort(programs) : runSections(names, resolve(values.out), programs));
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
