/** docs/logs.md, made of the events that are declared: `npm run docs:logs` writes it anew. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LOG_EVENTS } from '../../src/common/log-events.ts';

const INTRO = `# Logs

<!-- Made of src/common/log-events.ts by "npm run docs:logs": change the declarations, not this page. -->

After this page you can read the log, and select from it by program.

A server logs to standard error, one line for each event. An error that ends a start is a line \`goromdb: …\`. Ordinary
requests are not logged.

| flag | |
|---|---|
| \`-log-format human\` | \`2026-01-31T03:00:00.000Z info listens on 127.0.0.1:11211\` |
| \`-log-format json\` | \`{"time":"2026-01-31T03:00:00.000Z","level":"info","event":"server-listening","message":"listens on 127.0.0.1:11211"}\` |
| \`-log-level warn\` | only \`warn\` and \`error\`; \`-log-level error\`: only \`error\` |
| \`-log-slow 10ms\` | also requests that took this long or longer, among those that are [measured](monitoring.md#what-requests-take), up to 10 a second for each thread; never their keys |

In JSON, the names of fields and events are stable; messages may change. Each line has \`time\`, \`level\`, \`event\` and
\`message\`, and where they are known, \`data_set\` (its prefix), \`generation\`, \`code\` (an error code), \`path\`, \`client\` (an
address without its port), \`command\`, \`protocol\`, \`seconds\`, \`bytes\` and \`thread\`. Fields may be added.

No key, file name or file content can forge a line: ends of lines become spaces, and characters that are invisible, or
change the direction of text, are escaped as in JavaScript (\`\\x1b\`).

| event | meaning |
|---|---|
`;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('docs/logs.md lists all events: else run "npm run docs:logs"', async () => {
  const rows = Object.entries(LOG_EVENTS).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  await expect(`${INTRO}${rows.join('\n')}\n`).toMatchFileSnapshot('../../docs/logs.md');
});

test('each event that is declared is logged somewhere', () => {
  const src = join(ROOT, 'src');
  const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('log-events.ts'))
    .map((path) => readFileSync(join(src, path), 'utf8'))
    .join('\n');
  const unused = Object.keys(LOG_EVENTS).filter((name) => !sources.includes(`'${name}'`));
  expect(unused).toEqual([]);
});
