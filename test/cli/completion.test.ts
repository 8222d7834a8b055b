import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { COMMANDS, DEFAULT_COMMAND } from '../../src/cli/commands/commands.ts';
import { bashCompletion } from '../../src/cli/completion/bash.ts';
import { allCommands, flagsOf } from '../../src/cli/completion/schema.ts';
import { temporaryFolder } from '../support/folder.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';

const NAMED = COMMANDS.filter((command) => command !== DEFAULT_COMMAND);
const PROGRAM = { commands: NAMED, unnamed: DEFAULT_COMMAND };

/** What a real bash makes of some words, the last of which is being typed. */
function completed(words: readonly string[], cwd = '/'): readonly string[] {
  const script = `${bashCompletion(PROGRAM)}
complete -p goromdb >/dev/null || exit 1
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _goromdb; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ['-c', script, 'bash', 'goromdb', ...words];
  const printed = execFileSync('bash', args, { cwd, encoding: 'utf8' });
  return printed.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  it('knows the commands', () => {
    expect(completed([''])).toEqual([...NAMED.map(({ name }) => name), 'help', 'version']);
    expect(completed(['pu'])).toEqual(['publish']);
    expect(completed(['help', 'ro'])).toEqual(['rollback']);
  });

  it.each([
    [['serve', '-row'], ['-rows']],
    [['serve', '--row'], ['--rows']],
    [['-keep'], ['-keep-previous']],
    [['build', '-keep'], []],
    [
      ['serve', 'a.csv', '-rows', ''],
      ['csv', 'tsv', 'jsonl', 'parquet'],
    ],
    [['serve', '-rows', '=', 't'], ['tsv']],
    [
      ['serve', '--rows', '='],
      ['csv', 'tsv', 'jsonl', 'parquet'],
    ],
    [['-proto', 're'], ['redis']],
    [['serve', '-key', ''], []],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['rollback', ''], []],
    [['nonsense', ''], []],
    [['build', '-he'], ['-help']],
  ])('completes %j to %j', (words, found) => {
    expect(completed(words)).toEqual(found);
  });

  it('offers files and folders, whatever their names', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "it's a file.csv"), '');
    mkdirSync(join(folder, 'it'));
    for (const words of [
      ['build', 'it'],
      ['build', '-o', 'it'],
      ['publish', 'x', '-force', 'it'],
    ]) {
      expect(completed(words, folder).toSorted()).toEqual(['it', "it's a file.csv"]);
    }
    expect(completed(['rollback', '-basedir', 'i'], folder)).toEqual(['it']);
  });

  test('it offers every flag of every command', () => {
    for (const command of allCommands(PROGRAM)) {
      const words = command.name === '' ? ['-'] : [command.name, '-'];
      expect(completed(words)).toEqual(flagsOf(command).map(({ name }) => `-${name}`));
    }
  });
});

describe('goromdb completion', () => {
  it('takes the name of a shell', () => {
    expect(parseCommandLine(['completion', 'zsh'], '1')).toMatchObject({ kind: 'task' });
    for (const args of [[], ['tcsh'], ['bash', 'zsh']]) {
      expect(parseCommandLine(['completion', ...args], '1')).toMatchObject({
        kind: 'usage-error',
        message: expect.stringContaining('expected bash, zsh, fish; found'),
      });
    }
  });
});
