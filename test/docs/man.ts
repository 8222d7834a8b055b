/** Makes the pages of the manual out of the declarations of commands and options: man(7). */
import type { Command } from '../../src/cli/commands/command.ts';
import { COMMANDS, DEFAULT_COMMAND } from '../../src/cli/commands/commands.ts';
import type { Option } from '../../src/cli/options/option.ts';

/** What the head of each page says. */
export interface Edition {
  readonly version: string;
  /** As 2026-11-28. */
  readonly date: string;
}

const PROJECT = 'goromdb';

/** The page's name, without its section. */
export function nameOf({ name }: Command): string {
  return name === DEFAULT_COMMAND.name ? PROJECT : `${PROJECT}-${name}`;
}

/** A page, as man(7) has it. */
export function pageOf(command: Command, { version, date }: Edition): string {
  const { summary, usage, notes = '', exitCodes } = command;
  const paragraphs = notes.trim().split(/\n{2,}/);
  const starting = (start: string): readonly string[] =>
    paragraphs.filter((text) => text.startsWith(start));
  const others = paragraphs.filter((text) => !text.startsWith('Example') && text !== '');
  const isDefault = command.name === DEFAULT_COMMAND.name;
  return [
    '.\\" Made of the declarations in src/cli by "npm run docs:man": change those, not this page.',
    `.TH ${nameOf(command).toUpperCase()} 1 ${date} "${PROJECT} ${version}" "${PROJECT}"`,
    '.SH NAME',
    `${roff(nameOf(command))} \\- ${roff(summary.replace(/\.$/, ''))}`,
    ...section('SYNOPSIS', lines(usage.replace(/^ +/gm, ''))),
    ...section('DESCRIPTION', [roff(summary), ...others.flatMap(paragraph)]),
    ...(isDefault
      ? section('COMMANDS', COMMANDS.filter((one) => one !== command).flatMap(entry))
      : []),
    ...section('OPTIONS', optionsOf(command)),
    ...section(
      'EXIT STATUS',
      Object.entries(exitCodes).flatMap(([code, meaning]) => ['.TP', `.B ${code}`, roff(meaning)]),
    ),
    ...section(
      'EXAMPLES',
      starting('Example')
        .map((text) => text.replace(/^.*\n/, ''))
        .flatMap(lines),
    ),
    ...section('SEE ALSO', isDefault ? [] : [`.BR ${PROJECT} (1)`]),
    '',
  ].join('\n');
}

function section(title: string, content: readonly string[]): readonly string[] {
  return content.length === 0 ? [] : [`.SH ${title}`, ...content];
}

function entry(command: Command): readonly string[] {
  return ['.TP', `.BR ${roff(nameOf(command))} (1)`, roff(command.summary)];
}

function optionsOf({ options }: Command): readonly string[] {
  const flags = Object.entries(options).filter(([, option]) => option.only !== 'file');
  const groups = [...new Set(flags.map(([, { group }]) => group))];
  return groups.flatMap((group) => [
    ...(groups.length === 1 ? [] : [`.SS ${roff(group.replace(/:.*/, ''))}`]),
    ...flags
      .filter(([, option]) => option.group === group)
      .flatMap(([name, option]) => ['.TP', flag(name, option), roff(sentence(option))]),
  ]);
}

function flag(name: string, { placeholder }: Option): string {
  const bold = `\\fB${roff(`-${name}`)}\\fR`;
  return placeholder === undefined ? bold : `${bold} \\fI${roff(placeholder)}\\fR`;
}

function sentence({ help, fallback, fallbackNote, required }: Option): string {
  const preset = required === undefined ? (fallback ?? fallbackNote) : undefined;
  return preset === undefined || preset === 'false' ? `${help}.` : `${help}. Default: ${preset}.`;
}

function paragraph(text: string): readonly string[] {
  return ['.PP', ...body(text)];
}

/** Text that is filled, and indented lines as they are. */
function body(text: string): readonly string[] {
  const parts = text.split(/^((?: {2}.*(?:\n|$))+)/m).filter((part) => part.trim() !== '');
  return parts.flatMap((part) =>
    part.startsWith('  ') ? lines(part.replace(/\n$/, '')) : part.trim().split('\n').map(roff),
  );
}

/** Lines as they are. */
function lines(text: string): readonly string[] {
  return ['.nf', ...text.split('\n').map(roff), '.fi'];
}

function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
