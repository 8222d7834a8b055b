/** docs/flags.md, made from the declarations: `npm run docs:flags` writes it anew. */
import { expect, test } from 'vitest';
import { type Command, typedAs } from '../../src/cli/commands/command.ts';
import { COMMANDS, DEFAULT_COMMAND } from '../../src/cli/commands/commands.ts';
import { DATA_SET_OPTIONS } from '../../src/cli/options/data.ts';
import type { Option, OptionTable } from '../../src/cli/options/option.ts';
import { SERVER_OPTIONS } from '../../src/cli/options/server.ts';

const INTRO = `# Flags

<!-- Made from the declarations in src/cli by "npm run docs:flags": change those, not this page. -->

After this page you know every command, flag and key of the configuration file, with its default.

A flag may be written \`-addr X\`, \`-addr=X\`, \`--addr X\` or \`--addr=X\`; a boolean \`-gzipped\` or \`-gzipped=false\`. Sizes take B, kB, MB, GB, TB, KiB, MiB, GiB and TiB. Durations are in Go's form, from \`1ms\` to \`24h\`, and need their unit.

Most options of the server are also keys of the [configuration file](configuration.md) and options of the library: the tables name both. [Exit codes](exit-codes.md) have a page of their own.
`;

function page(): string {
  return `${[INTRO, ...COMMANDS.map(section)].join('\n')}`;
}

function section(command: Command): string {
  const { summary, usage, options, notes } = command;
  const groups = new Set(Object.values(options).map(({ group }) => group));
  const tables = [...groups].map((group) => {
    const entries = Object.entries(options).filter(([, option]) => option.group === group);
    const place = isServer(command) ? placeOf(entries[0][0]) : '';
    return `### ${group.replace(/:.*/, '')}\n\n${place}${table(entries, isServer(command))}`;
  });
  const heading = isServer(command) ? 'goromdb' : `goromdb ${typedAs(command.name)}`;
  const head = `## ${heading}\n\n${summary}\n\n\`\`\`\n${usage.replace(/^ +/gm, '')}\n\`\`\`\n`;
  const text = notes === undefined ? '' : `\`\`\`text\n${notes.trim()}\n\`\`\`\n`;
  return [head, ...tables, text].filter((part) => part !== '').join('\n');
}

function isServer(command: Command): boolean {
  return command === DEFAULT_COMMAND;
}

function placeOf(name: string): string {
  if (Object.hasOwn(DATA_SET_OPTIONS, name)) return 'In a file: in each `[[data-set]]`.\n\n';
  return Object.hasOwn(SERVER_OPTIONS, name)
    ? 'In a file: on top, above the first `[[data-set]]`.\n\n'
    : '';
}

function table(entries: readonly (readonly [string, OptionTable[string]])[], ofServer: boolean) {
  const columns = ['flag', ...(ofServer ? ['key', 'library'] : []), 'meaning', 'default'];
  const rows = entries.map(([name, option]) => [
    option.only === 'file' ? '' : code(`-${name} ${option.placeholder ?? ''}`.trim()),
    ...(ofServer
      ? [
          option.only === 'flag' ? '' : code(name),
          option.sets === undefined ? '' : code(option.sets),
        ]
      : []),
    option.help + onlyFor(option),
    defaultOf(option),
  ]);
  const lines = [columns, columns.map(() => '---'), ...rows];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function onlyFor({ protocols }: Option): string {
  return protocols === undefined ? '' : `; with -proto ${protocols.names.join(' or ')}`;
}

function defaultOf({ fallback, fallbackNote, required, placeholder }: Option): string {
  if (required !== undefined) return 'required';
  if (fallback !== undefined) return code(fallback);
  return fallbackNote ?? (placeholder === undefined ? code('false') : '');
}

function code(text: string): string {
  return `\`${text}\``;
}

test('docs/flags.md says what the declarations say: else run "npm run docs:flags"', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/flags.md');
});
