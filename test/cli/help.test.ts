import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS, DEFAULT_COMMAND } from '../../src/cli/commands/commands.ts';
import { temporaryFolder } from '../support/folder.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';

/** The examples of a help, a line each, without the comment behind. */
function examplesIn(notes: string): readonly string[] {
  const [, examples = ''] = /^Examples?:\n((?: {2}.*\n)+)/m.exec(notes) ?? [];
  return examples.split('\n').flatMap((line) => line.trim().split(' #')[0] || []);
}

/** The command lines of goromdb in a line of a shell, each as its arguments. Where output goes is the shell's. */
function argumentsIn(line: string): readonly (readonly string[])[] {
  return line
    .replace(/ > \S+/, '')
    .split(/&&|\||"?\$\(|\)/)
    .map((part) => part.trim().split(/\s+/))
    .filter(([program]) => program === 'goromdb')
    .map(([, ...args]) => args);
}

describe.each(COMMANDS.map((command) => [command.name, command] as const))(
  'the help of %s',
  (_, command) => {
    const { notes = '' } = command;

    it('has two examples, and says what each exit code means', () => {
      expect(examplesIn(notes).length).toBeGreaterThanOrEqual(2);
      const argv = command === DEFAULT_COMMAND ? ['-help'] : [command.name, '-help'];
      const help = parseCommandLine(argv, '1');
      const text = help.kind === 'print' ? help.text : '';
      const [, codes = ''] = text.split('\nExit codes:\n');
      const found = [...codes.matchAll(/^ {2}(\d+) +\S/gm)].map(([, code]) => code);
      expect(found).toEqual(Object.keys(command.exitCodes));
      expect(found).toEqual(expect.arrayContaining(['0', '2']));
      for (const line of codes.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    });

    it('has only examples that the command line takes', () => {
      const lines = examplesIn(notes).flatMap(argumentsIn);
      expect(lines.length).toBeGreaterThanOrEqual(command === DEFAULT_COMMAND ? 1 : 2);
      const shards = join(temporaryFolder(), 'shards.toml');
      writeFileSync(shards, '[[shards]]\nname = "all"\nidx = 0\naddress = "127.0.0.1:11211"\n');
      for (const argv of lines) {
        // It is read with the flags.
        const here = argv.map((arg) => (arg === 'shards.toml' ? shards : arg));
        expect(parseCommandLine(here, '1'), argv.join(' ')).toMatchObject({ kind: 'task' });
      }
    });
  },
);
