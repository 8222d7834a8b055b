/**
 * What belongs in this folder: the options, each declared once, and how declarations become flags,
 * TOML keys and help.
 */
import { GoromdbError } from '../../common/errors.ts';

/** Reads a value; `words` are all that it takes, for completion, where they can be listed. */
export interface Parse<T> {
  (text: string): T;
  readonly words?: readonly string[];
}

/** An option: all that flags, the configuration file, messages, help and docs/flags.md need. */
export interface Option<T = unknown, Path extends string = string> {
  /** What the help calls the value, such as `PATH`; undefined: a boolean. */
  readonly placeholder?: string;
  readonly help: string;
  /** @throws GoromdbError whose message says what was given and what is allowed. */
  readonly parse: Parse<T>;
  /** The default as a person would type it; undefined: the option has no value when not given. */
  readonly fallback?: string;
  /** For the help: what happens without the option, when there is no `fallback`. */
  readonly fallbackNote?: string;
  /** It must be given; a message about its absence explains it so. */
  readonly required?: string;
  /** It may be given several times: what `parse` returns is a list, and the lists are joined. */
  readonly repeats?: true;
  /** Its forms in TOML, other than a boolean or a text. */
  readonly toml?: 'number' | 'path' | 'list';
  /** Where it can be given, when not everywhere. */
  readonly only?: 'flag' | 'file';
  /** The option of the library that it sets, as in `limits.keysMax`. */
  readonly sets?: Path;
  /** The names that this flag has in memcached, Redis and other servers. */
  readonly elsewhere?: readonly string[];
  /** The flag with a value, shown to whoever gave one of those. */
  readonly example?: string;
  /** The only protocols with which it has an effect, and why. */
  readonly protocols?: { readonly names: readonly string[]; readonly because: string };
}

/** Options by name, without dashes, in the order of the help. */
export type OptionTable = Readonly<Record<string, Option & { readonly group: string }>>;

type Value<O> = O extends Option<infer T> ? T : never;
type HasValue = { readonly fallback: string } | { readonly required: string };

/** The values of options: those without a default may be undefined. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends HasValue
    ? Value<Table[Name]>
    : Value<Table[Name]> | undefined;
};

/** Options that each set an option of the library, with its type. */
export type OptionsFor<T> = Readonly<
  Record<string, { [Path in PathOf<T>]: Option<ValueAt<T, Path> | undefined, Path> }[PathOf<T>]>
>;
type ValueAt<T, Path extends string> = Path extends `${infer Head}.${infer Rest}`
  ? ValueAt<NonNullable<T[Head & keyof T]>, Rest>
  : T[Path & keyof T];
/** The paths in options of the library, as in `limits.keysMax`. */
type PathOf<T> = {
  [K in keyof T & string]: K | `${K}.${InnerPathOf<NonNullable<T[K]>>}`;
}[keyof T & string];
type InnerPathOf<T> = T extends readonly unknown[] | ((...args: never[]) => unknown) | string
  ? never
  : T extends object
    ? PathOf<T>
    : never;

/** The options of the library that a table sets. */
export type LibraryOptions<Table extends OptionTable> = Intersection<
  { [Name in keyof Table]: LibraryOption<Table[Name]> }[keyof Table]
>;
type LibraryOption<O> = O extends { readonly sets: infer Path extends string }
  ? O extends HasValue
    ? Given<Path, Value<O>>
    : Optional<Path, NonNullable<Value<O>>>
  : never;
type Given<Path extends string, T> = Path extends `${infer Head}.${infer Rest}`
  ? { readonly [K in Head]: Given<Rest, T> }
  : { readonly [K in Path]: T };
type Optional<Path extends string, T> = Path extends `${infer Head}.${infer Rest}`
  ? { readonly [K in Head]?: Optional<Rest, T> }
  : { readonly [K in Path]?: T };
type Intersection<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

type Grouped<Table> = {
  readonly [Name in keyof Table]: Table[Name] & { readonly group: string };
};

/**
 * A group of options.
 *
 * @param group The heading under which the help shows them.
 */
export function optionGroup<const Table extends Readonly<Record<string, Option>>>(
  group: string,
  table: Table,
): Grouped<Table> {
  const entries = Object.entries(table).map(([name, option]) => [name, { ...option, group }]);
  return Object.fromEntries(entries) as Grouped<Table>;
}

/** The values of options that are not given. */
export function defaultsOf(table: OptionTable): Readonly<Record<string, unknown>> {
  const entries = Object.entries(table).map(([name, option]) => {
    return [name, option.fallback === undefined ? undefined : parseOption(name, option)];
  });
  return Object.fromEntries(entries);
}

/**
 * The options of the library that values set. Those without a value are left out; of two that set
 * the same, the later one with a value counts.
 *
 * @throws GoromdbError OPTION_INVALID when one is missing.
 */
export function libraryOptions<Table extends OptionTable>(
  table: Table,
  values: ValuesOf<Table>,
): LibraryOptions<Table> {
  checkRequired(table, values);
  let options: Tree = {};
  for (const [name, { sets }] of Object.entries(table)) {
    const value = values[name];
    if (value === undefined || sets === undefined) continue;
    options = withValue(options, sets.split('.'), value);
  }
  return options as LibraryOptions<Table>;
}

/** @throws GoromdbError OPTION_INVALID when an option is missing that must be given. */
export function checkRequired<Table extends OptionTable>(
  table: Table,
  values: ValuesOf<Table>,
): void {
  for (const [name, { required }] of Object.entries(table)) {
    if (required === undefined || values[name] !== undefined) continue;
    throw misuse(`-${name} is required: ${required}`);
  }
}

type Tree = Readonly<Record<string, unknown>>;

function withValue(tree: Tree, [head, ...rest]: readonly string[], value: unknown): Tree {
  const branch = (tree[head] ?? {}) as Tree;
  return { ...tree, [head]: rest.length === 0 ? value : withValue(branch, rest, value) };
}

/** @throws GoromdbError as `Option.parse`, with the name in front. */
export function parseOption(name: string, option: Option, text = option.fallback ?? ''): unknown {
  try {
    return option.parse(text);
  } catch (error) {
    if (!(error instanceof GoromdbError)) throw error;
    throw new GoromdbError(error.code, `-${name}: ${error.message}`, { cause: error });
  }
}

/** An error of the person at the command line. */
export function misuse(message: string): GoromdbError {
  return new GoromdbError('OPTION_INVALID', message);
}

export function notAllowed(text: string, expected: string): GoromdbError {
  return misuse(`${JSON.stringify(text)} is not allowed; expected ${expected}`);
}
