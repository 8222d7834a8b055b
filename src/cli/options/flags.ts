/** How options become flags: commander parses them, spelled as in Go or as in GNU's programs. */
import { type Command, Option as Flag } from 'commander';
import type { GoromdbError } from '../../common/errors.ts';
import { misuse, type OptionTable, parseOption } from './option.ts';

/** What commander keeps of a flag: it would take a bare undefined for true. */
interface Parsed {
  readonly value: unknown;
}

/** Gives commander the flags of a table. */
export function addFlags(command: Command, table: OptionTable): void {
  for (const [name, option] of Object.entries(table)) {
    if (option.only === 'file') continue;
    // The value of a boolean is optional: `toGnuSpelling` recognises it by that.
    const value = option.placeholder === undefined ? '[bool]' : `<${option.placeholder}>`;
    const flag = new Flag(`--${name} ${value}`, option.help)
      .helpGroup(`${option.group}:`)
      .argParser((text, previous: Parsed | undefined): Parsed => {
        const value = parseOption(name, option, text);
        const before = option.repeats && previous?.value;
        return { value: Array.isArray(before) ? before.concat(value) : value };
      });
    const { fallback, fallbackNote } = option;
    if (fallback !== undefined) flag.default({ value: parseOption(name, option) }, fallback);
    else if (fallbackNote !== undefined) flag.default(undefined, fallbackNote);
    command.addOption(flag);
  }
}

/** The values of the flags that commander has parsed, and which of them were given. */
export function readFlags(command: Command): {
  readonly values: Readonly<Record<string, unknown>>;
  readonly given: ReadonlySet<string>;
} {
  const flags = command.options.map((flag) => [flag.name(), flag.attributeName()] as const);
  const parsed = (key: string): Parsed | undefined => command.getOptionValue(key);
  const given = flags.filter(([, key]) => command.getOptionValueSource(key) === 'cli');
  return {
    values: Object.fromEntries(flags.map(([name, key]) => [name, parsed(key)?.value])),
    given: new Set(given.map(([name]) => name)),
  };
}

/**
 * Rewrites Go's spelling of flags (`-addr X`, `-addr=X`, `-gzipped`) and GNU's (`--addr X`) into
 * the one form that commander cannot misread, `--addr=X`. As in Go, the argument after a flag is
 * its value whatever it looks like, and a boolean flag never takes the next argument.
 *
 * Unknown flags stay for commander to report.
 *
 * @param options The flags of the command, as commander knows them.
 * @throws GoromdbError `OPTION_INVALID` when the last flag lacks its value, or a flag that takes
 * none has one.
 */
export function toGnuSpelling(args: readonly string[], options: readonly Flag[]): string[] {
  const known = new Map(options.map((option) => [option.name(), option]));
  const rewritten: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--') return [...rewritten, ...args.slice(i)];
    const match = /^--?([^-=][^=]*)(=.*)?$/s.exec(args[i]);
    if (match === null) {
      rewritten.push(args[i]);
      continue;
    }
    const [, givenName, assigned] = match;
    const name = givenName === 'h' ? 'help' : givenName;
    const option = known.get(name);
    if (option === undefined) {
      // Its value is left out: commander would compare it too when it looks for a near miss.
      rewritten.push(`--${name}`);
    } else if (assigned !== undefined) {
      if (option.isBoolean()) throw misuse(`-${name} takes no value, and ${assigned} was given`);
      rewritten.push(`--${name}${assigned}`);
    } else if (option.required) {
      i += 1;
      if (i === args.length) throw missingValue(option);
      rewritten.push(`--${name}=${args[i]}`);
    } else {
      // `-gzipped` has a value, which is left out; `-version` has none.
      rewritten.push(option.optional ? `--${name}=true` : `--${name}`);
    }
  }
  return rewritten;
}

/** Commander's `--addr <ADDRESS>` as the help and messages show it: `-addr ADDRESS`. */
export function goSpelling(flag: Flag): string {
  return flag.flags.replace('--', '-').replace(' [bool]', '').replace(/[<>]/g, '');
}

function missingValue(flag: Flag): GoromdbError {
  return misuse(`-${flag.name()}: the value is missing; use ${goSpelling(flag)}`);
}
