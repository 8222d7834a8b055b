import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { defineCommand } from '../../src/cli/commands/command.ts';
import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { valueFromToml } from '../../src/cli/config/config-value.ts';
import { addFlags, readFlags } from '../../src/cli/options/flags.ts';
import {
  defaultsOf,
  libraryOptions,
  type OptionTable,
  optionGroup,
  type ValuesOf,
} from '../../src/cli/options/option.ts';
import { SERVER_OPTIONS } from '../../src/cli/options/server.ts';
import { BOOLEAN, COUNT, SIZE } from '../../src/cli/options/values.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';

const TABLE = optionGroup('Colours', {
  red: { ...COUNT, help: 'how red', fallback: '3', sets: 'colours.red' },
  shade: { ...SIZE, help: 'how dark', sets: 'colours.shade.bytes' },
  bright: { ...BOOLEAN, help: 'light it', sets: 'bright' },
  crimson: { ...COUNT, help: 'the same as red', sets: 'colours.red' },
  note: { help: 'for the file', placeholder: 'TEXT', parse: String, only: 'file', sets: 'note' },
});

/** As a command line gives them. */
function flags(...argv: string[]): ReturnType<typeof readFlags> {
  const command = new Command('paint').exitOverride();
  addFlags(command, TABLE);
  command.parse(argv, { from: 'user' });
  return readFlags(command);
}

describe('a declaration', () => {
  test('is all that gives a flag, with its default', () => {
    const { values, given } = flags('--shade=2KiB', '--bright=false');
    expect(values).toEqual({ red: 3, shade: 2048, bright: false, crimson: undefined });
    expect(given).toEqual(new Set(['shade', 'bright']));
  });

  test('is all that gives a key of the configuration file', () => {
    const beside = (path: string): string => path;
    expect(valueFromToml(TABLE.red, 5, beside)).toBe(5);
    expect(valueFromToml(TABLE.shade, '1kB', beside)).toBe(1000);
    expect(valueFromToml(TABLE.bright, true, beside)).toBe(true);
    expect(valueFromToml(TABLE.note, 'x', beside)).toBe('x');
    expect(() => valueFromToml(TABLE.note, 1, beside)).toThrow('expected a text in quotes');
  });

  test('is all that gives an option of the library, of the type that its parser has', () => {
    const values = { ...defaultsOf(TABLE), shade: 7 } as ValuesOf<typeof TABLE>;
    const options = libraryOptions(TABLE, values);
    const red: number = options.colours.red;
    expect(red).toBe(3);
    expect(options).toEqual({ colours: { red: 3, shade: { bytes: 7 } }, bright: false });
  });

  test('gives way to a later one for the same option of the library, when that is given', () => {
    const values = { ...defaultsOf(TABLE), crimson: 9 } as ValuesOf<typeof TABLE>;
    expect(libraryOptions(TABLE, values).colours.red).toBe(9);
  });
});

test('a command is all that its file says', async () => {
  let painted: number | undefined;
  const command = defineCommand({
    name: 'paint',
    summary: 'Paints.',
    usage: 'goromdb paint [flags]',
    exitCodes: { 0: 'painted' },
    options: TABLE,
    read: ({ values }) => values.red,
    run: async (red) => {
      painted = red;
      return 0;
    },
  });
  const values = { ...defaultsOf(TABLE), red: 4 };
  const task = command.prepare({ values, given: new Set(), args: [] });
  expect(task).toMatchObject({ command: 'paint', request: 4 });
  expect(await task.run([])).toBe(0);
  expect(painted).toBe(4);
  expect(() => command.prepare({ values, given: new Set(), args: ['true'] })).toThrow(
    '"true" is not expected: there are only flags here; a boolean needs "=", as in -bright=true',
  );
});

test('every limit of the library has an option', () => {
  const paths = Object.values<OptionTable[string]>(SERVER_OPTIONS).map(({ sets }) => sets);
  for (const limit of Object.keys(DEFAULT_LIMITS)) expect(paths).toContain(`limits.${limit}`);
});

test('every default and every help text is fit to be shown', () => {
  for (const { name, options } of COMMANDS) {
    expect(() => defaultsOf(options), name).not.toThrow();
    for (const [flag, { help }] of Object.entries(options)) {
      expect(help, flag).not.toMatch(/[.\s]$|\||\n/);
    }
  }
});
