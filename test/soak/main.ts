/**
 * `npm run soak -- --minutes N [--seed S]`: a server under load for N minutes, with swaps, bad drops,
 * hostile clients, kills and restarts at random. Each answer is checked against what may serve at
 * that time. Ends with 1 if anything was wrong or grows.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { courseOf } from './report.ts';
import { Soak } from './soak.ts';

// The reader may go away; the run goes on.
process.stdout.on('error', () => {});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Date.now() % 1_000_000_007 : Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  say('usage: npm run soak -- --minutes N [--seed S]');
  process.exit(2);
}
say(`soak of ${minutes} minutes, seed ${seed}`);
const { faults, requests, keys, foreign, lost, actions, samples } = await new Soak(
  minutes,
  seed,
  say,
).run();
const course = courseOf(samples);
const total = Object.values(requests).reduce((sum, count) => sum + count, 0);
const by = Object.entries(requests).map(([name, count]) => `${count} ${name}`);
say(`${total} requests (${by.sort().join(', ')}) for ${keys} keys, each answer checked`);
say(`${foreign} of them against the records of files of other programs`);
say(`${lost} connections were lost with a serving thread that was made to die`);
for (const [name, count] of Object.entries(actions).sort()) say(`${name}: ${count} times`);
say('the process of the second half:');
for (const line of course.lines) say(`  ${line}`);
say(faults.length === 0 ? 'no fault' : `${faults.length} faults; seed ${seed}`);
process.exit(faults.length === 0 && course.isFlat ? 0 : 1);
