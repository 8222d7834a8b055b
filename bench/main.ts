/** `npm run bench`: compares goromdb with memcached on this machine. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkRatios } from './gate.ts';
import { describeMachine } from './machine.ts';
import { plots, type Results, reportText } from './report.ts';
import { SECTIONS } from './sections.ts';
import { endServersAtExit, requireMemcached } from './servers.ts';

const HELP = `npm run bench -- [flags]
  --short          under a minute: fails when a CPU ratio is far above bench/ratios.json
  --only A,B       only these sections: ${Object.keys(SECTIONS).join(', ')}
  --seconds N      how long each run measures (default 3)
  --rounds N       how often the servers take turns (default 3)
  --keys-max N     leave out what needs more keys (default 10000000)
  --out DIR        where the report goes (default bench/report)
`;

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    'keys-max': { type: 'string', default: '10000000' },
    out: { type: 'string', default: 'bench/report' },
    help: { type: 'boolean', default: false },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function runShort(): Promise<void> {
  const { rows } = await SECTIONS.main({ seconds: 1, rounds: 3, keysMax: 100_000 });
  const { lines, isGood } = checkRatios(rows, resolve('bench/ratios.json'));
  for (const line of lines) say(line);
  if (!isGood) process.exitCode = 1;
}

/** Sections that were measured earlier stay in the report until they are measured again. */
async function runSections(names: readonly string[], folder: string): Promise<void> {
  const effort = {
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    keysMax: Number(values['keys-max']),
  };
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'results.json');
  let results: Results = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  for (const name of names) {
    say(`measuring: ${name}`);
    const machine = describeMachine();
    const result = await SECTIONS[name](effort);
    results = { ...results, [name]: { machine, result } };
    writeFileSync(path, `${JSON.stringify(results, undefined, 1)}\n`);
    writeFileSync(join(folder, 'report.md'), reportText(results));
    for (const [file, svg] of Object.entries(plots(results)))
      writeFileSync(join(folder, file), svg);
  }
  say(`the report is in ${join(folder, 'report.md')}`);
}

const names = values.only?.split(',') ?? Object.keys(SECTIONS);
const unknown = names.find((name) => !Object.hasOwn(SECTIONS, name));
if (values.help || unknown !== undefined) {
  say(unknown === undefined ? HELP : `there is no section ${JSON.stringify(unknown)}\n${HELP}`);
  if (unknown !== undefined) process.exitCode = 2;
} else {
  try {
    endServersAtExit();
    requireMemcached();
    await (values.short ? runShort() : runSections(names, resolve(values.out)));
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
