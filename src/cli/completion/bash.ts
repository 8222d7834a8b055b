import {
  allCommands,
  type CompletedCommand,
  type CompletedFlag,
  type CompletedProgram,
  FIRST_WORDS,
  flagsOf,
} from './schema.ts';

/** A script for bash 4 and newer, which needs no package bash-completion. */
export function bashCompletion(program: CompletedProgram): string {
  const names = [...program.commands.map(({ name }) => name), ...FIRST_WORDS.map(([word]) => word)];
  const commands = allCommands(program);
  return `# Completion of goromdb for bash: eval "$(goromdb completion bash)"
_goromdb() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= flags= args=
  COMPREPLY=()
  if ((COMP_CWORD > 1)) && [[ \${COMP_WORDS[1]} != -* ]]; then command=\${COMP_WORDS[1]}; fi
  # bash divides -flag=value.
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  [[ $prev == --* ]] && prev=\${prev#-}
  case "$command $prev" in
${valueCases(commands)}  esac
  case $command in
${commands.map(commandCase).join('')}    help) args=${quoted(names.join(' '))};;
  esac
  if [[ $cur == --* ]]; then COMPREPLY=($(compgen -W "\${flags// -/ --}" -- "$cur"))
  elif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W ${quoted(names.join(' '))} -- "$cur"))
  elif [[ $args == / ]]; then _goromdb_paths -f
  else COMPREPLY=($(compgen -W "$args" -- "$cur")); fi
}
_goromdb_paths() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}
complete -F _goromdb goromdb
`;
}

/** What comes behind a flag ends the function. */
function valueCases(commands: readonly CompletedCommand[]): string {
  const lines = new Map<string, string[]>();
  for (const command of commands) {
    for (const flag of flagsOf(command)) {
      const action = actionOf(flag);
      if (action === undefined) continue;
      lines.set(action, [...(lines.get(action) ?? []), quoted(`${command.name} -${flag.name}`)]);
    }
  }
  return [...lines]
    .map(([action, patterns]) => `    ${patterns.join('|')}) ${action}return;;\n`)
    .join('');
}

function actionOf({ value }: CompletedFlag): string | undefined {
  switch (value.kind) {
    case 'none':
      return undefined;
    case 'words':
      return `COMPREPLY=($(compgen -W ${quoted(value.words.join(' '))} -- "$cur")); `;
    case 'file':
      return '_goromdb_paths -f; ';
    case 'folder':
      return '_goromdb_paths -d; ';
    case 'other':
      return '';
  }
}

/** Flags begin with a blank each, so that the second dash can be put before all of them. */
function commandCase(command: CompletedCommand): string {
  const flags = flagsOf(command).map(({ name }) => ` -${name}`);
  const { takesArguments: args } = command;
  const words = args === undefined ? '' : args === true ? '/' : args.join(' ');
  return `    ${quoted(command.name)}) flags=${quoted(flags.join(''))} args=${quoted(words)};;\n`;
}

/** None of the words has a quote in it. */
function quoted(text: string): string {
  return `'${text}'`;
}
