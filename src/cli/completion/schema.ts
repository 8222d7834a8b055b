/** What belongs in this folder: makes the completion scripts of shells from the commands and their options. */
import type { OptionTable } from '../options/option.ts';

/** A command, as far as a shell completes it. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: OptionTable;
  readonly takesArguments?: true | readonly string[];
}

/** The program. */
export interface CompletedProgram {
  readonly commands: readonly CompletedCommand[];
  /** What runs when no command is named. */
  readonly unnamed: CompletedCommand;
}

/** What comes behind a flag: nothing, one of some words, a path, or what no shell can guess. */
type ValueKind =
  | { readonly kind: 'none' | 'file' | 'folder' | 'other' }
  | { readonly kind: 'words'; readonly words: readonly string[] };

export interface CompletedFlag {
  readonly name: string;
  readonly help: string;
  readonly placeholder: string;
  readonly repeats: boolean;
  readonly value: ValueKind;
}

/** What each command has beside its own flags. */
const COMMON: readonly CompletedFlag[] = [
  ['version', 'print the version and exit'],
  ['help', 'print this text and exit'],
].map(([name, help]) => ({
  ...{ name, help, placeholder: '', repeats: false },
  value: { kind: 'none' },
}));

/** The words that the first argument may be, beside the commands. */
export const FIRST_WORDS: readonly (readonly [word: string, summary: string])[] = [
  ['help', 'Prints the help of a command.'],
  ['version', 'Prints the version.'],
];

export function flagsOf({ options }: CompletedCommand): readonly CompletedFlag[] {
  const own = Object.entries(options)
    .filter(([, option]) => option.only !== 'file')
    .map(([name, { help, placeholder, repeats, parse }]): CompletedFlag => {
      const value = kindOf(placeholder, parse.words);
      return { name, help, placeholder: placeholder ?? '', repeats: repeats === true, value };
    });
  return [...own, ...COMMON];
}

/** The commands with what runs when none is named, under the empty name. */
export function allCommands({ commands, unnamed }: CompletedProgram): readonly CompletedCommand[] {
  return [{ ...unnamed, name: '' }, ...commands];
}

function kindOf(placeholder: string | undefined, words: readonly string[] | undefined): ValueKind {
  if (placeholder === undefined) return { kind: 'none' };
  if (words !== undefined) return { kind: 'words', words };
  if (placeholder === 'PATH') return { kind: 'file' };
  return { kind: placeholder === 'DIR' ? 'folder' : 'other' };
}

/** A text between single quotes, as bash and zsh read it. */
export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
