import {
  allCommands,
  type CompletedCommand,
  type CompletedFlag,
  type CompletedProgram,
  FIRST_WORDS,
  flagsOf,
} from './schema.ts';

/** A script for fish. */
export function fishCompletion(program: CompletedProgram): string {
  const named = program.commands.map(({ name, summary }) => firstWord(name, summary));
  const others = FIRST_WORDS.map(([word, summary]) => firstWord(word, summary));
  const names = program.commands.map(({ name }) => name).join(' ');
  return `# Completion of goromdb for fish: goromdb completion fish | source
function __goromdb_is --description 'Whether this command of goromdb is typed'
  set -l words (commandline -opc)
  set -l command ''
  if set -q words[2]; and not string match -q -- '-*' $words[2]
    set command $words[2]
  end
  test "$command" = "$argv[1]"
end
function __goromdb_is_first --description 'Whether the first word behind goromdb is typed'
  test (count (commandline -opc)) -eq 1
end
complete -c goromdb -f
${[...named, ...others].join('')}complete -c goromdb -n '__goromdb_is help' -a ${quoted(names)}
${allCommands(program).flatMap(linesOf).join('')}`;
}

function firstWord(word: string, summary: string): string {
  return `complete -c goromdb -n __goromdb_is_first -a ${word} -d ${quoted(summary)}\n`;
}

function linesOf(command: CompletedCommand): readonly string[] {
  const { name, takesArguments: args } = command;
  const when = `complete -c goromdb -n ${quoted(`__goromdb_is ${name === '' ? '""' : name}`)}`;
  const rest =
    args === undefined
      ? []
      : [args === true ? `${when} -F\n` : `${when} -a ${quoted(args.join(' '))}\n`];
  return [...flagsOf(command).map((flag) => `${when} ${flagOf(flag)}\n`), ...rest];
}

/** A flag with one dash; fish completes a short one by itself. */
function flagOf({ name, help, value }: CompletedFlag): string {
  const flag = `${name.length === 1 ? '-s' : '-o'} ${name} -d ${quoted(help)}`;
  switch (value.kind) {
    case 'none':
      return flag;
    case 'words':
      return `${flag} -x -a ${quoted(value.words.join(' '))}`;
    case 'file':
      return `${flag} -r -F`;
    case 'folder':
      return `${flag} -x -a '(__fish_complete_directories)'`;
    case 'other':
      return `${flag} -x`;
  }
}

/** Between single quotes fish reads a backslash before a quote or a backslash. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
