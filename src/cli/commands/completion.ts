import process from 'node:process';
import { bashCompletion } from '../completion/bash.ts';
import { fishCompletion } from '../completion/fish.ts';
import type { CompletedProgram } from '../completion/schema.ts';
import { zshCompletion } from '../completion/zsh.ts';
import { misuse } from '../options/option.ts';
import { type Command, defineCommand } from './command.ts';

const SCRIPTS: ReadonlyMap<string, (program: CompletedProgram) => string> = new Map([
  ['bash', bashCompletion],
  ['zsh', zshCompletion],
  ['fish', fishCompletion],
]);

/** @param commands All that are named, this one too: they are listed when it runs. */
export function completionOf(commands: () => readonly Command[], unnamed: Command): Command {
  const shells = [...SCRIPTS.keys()];
  return defineCommand({
    name: 'completion',
    summary: 'Prints a script for a shell to complete commands and flags.',
    usage: `goromdb completion ${shells.join('|')}`,
    notes: `
Examples:
  eval "$(goromdb completion bash)"      # in ~/.bashrc
  goromdb completion fish | source       # in ~/.config/fish/config.fish

For zsh: eval "$(goromdb completion zsh)" in ~/.zshrc, after compinit.`,
    exitCodes: { 0: 'printed', 2: 'no such shell' },
    options: {},
    takesArguments: shells,
    read({ args }) {
      const script = args.length === 1 ? SCRIPTS.get(args[0]) : undefined;
      if (script === undefined) {
        throw misuse(`expected ${shells.join(', ')}; found ${JSON.stringify(args.join(' '))}`);
      }
      return { script };
    },
    async run({ script }) {
      process.stdout.write(script({ commands: commands(), unnamed }));
      return 0;
    },
  });
}
