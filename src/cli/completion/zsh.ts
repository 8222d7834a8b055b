import {
  allCommands,
  type CompletedCommand,
  type CompletedFlag,
  type CompletedProgram,
  FIRST_WORDS,
  flagsOf,
  singleQuoted,
} from './schema.ts';

/** A script for zsh, to be sourced after compinit, or to lie in $fpath as _goromdb. */
export function zshCompletion(program: CompletedProgram): string {
  const named = program.commands.map(({ name, summary }): readonly [string, string] => {
    return [name, summary];
  });
  const words = [...named, ...FIRST_WORDS].map(([word, summary]) =>
    singleQuoted(`${word}:${summary}`),
  );
  return `#compdef goromdb
# Completion of goromdb for zsh: eval "$(goromdb completion zsh)", behind compinit
_goromdb() {
  local command=
  local -a commands=(
    ${words.join('\n    ')}
  )
  if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then
    _describe -t commands command commands
    return
  fi
  if ((CURRENT > 2)) && [[ $words[2] != -* ]]; then
    command=$words[2]
    shift words
    ((CURRENT--))
  fi
  case $command in
${allCommands(program).map(commandCase).join('')}    help) _describe -t commands command commands ;;
  esac
}
if [[ \${funcstack[1]} == _goromdb ]]; then _goromdb "$@"; else compdef _goromdb goromdb; fi
`;
}

function commandCase(command: CompletedCommand): string {
  const { name, takesArguments: args } = command;
  const rest =
    args === undefined ? [] : [args === true ? '*:file:_files' : `1:word:(${args.join(' ')})`];
  const specs = [...flagsOf(command).map(specOf), ...rest].map(singleQuoted);
  return `    ${singleQuoted(name)}) _arguments \\\n      ${specs.join(' \\\n      ')} ;;\n`;
}

/** A specification of zsh's _arguments. */
function specOf({ name, help, placeholder, repeats, value }: CompletedFlag): string {
  const flag = `${repeats ? '*' : ''}-${name}[${help.replace(/[\\[\]]/g, '\\$&')}]`;
  const message = placeholder.replace(/[\\:[\]]/g, '\\$&');
  switch (value.kind) {
    case 'none':
      return flag;
    case 'words':
      return `${flag}:${message}:(${value.words.join(' ')})`;
    case 'file':
      return `${flag}:${message}:_files`;
    case 'folder':
      return `${flag}:${message}:_files -/`;
    case 'other':
      return `${flag}:${message}: `;
  }
}
