import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { COMMANDS, DEFAULT_COMMAND } from '../../src/cli/commands/commands.ts';
import { fishCompletion } from '../../src/cli/completion/fish.ts';
import { allCommands, flagsOf } from '../../src/cli/completion/schema.ts';
import { zshCompletion } from '../../src/cli/completion/zsh.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { requirePackages, run } from './harness.ts';

const PROGRAM = {
  commands: COMMANDS.filter((command) => command !== DEFAULT_COMMAND),
  unnamed: DEFAULT_COMMAND,
};
const ZSH = fileURLToPath(new URL('programs/complete.zsh', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

describe('fish completes', () => {
  async function completed(line: string): Promise<readonly string[]> {
    requirePackages('fish');
    const script = join(folder, 'goromdb.fish');
    writeFileSync(script, fishCompletion(PROGRAM));
    const args = ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line];
    const { stdout, stderr, code } = await run('fish', args);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    const lines = stdout.split('\n').filter((found) => found !== '');
    return lines.map((found) => found.split('\t')[0]);
  }

  test.each([
    ['goromdb pub', ['publish']],
    ['goromdb serve -row', ['-rows']],
    ['goromdb bench :1 -choose ', ['uniform', 'zipf']],
    ['goromdb -keep-', ['-keep-previous']],
    ['goromdb completion ', ['bash', 'fish', 'zsh']],
    ['goromdb help roll', ['rollback']],
  ])('%j to %j', async (line, found) => {
    expect(await completed(line)).toEqual(found);
  });

  test('every flag of every command', async () => {
    for (const command of allCommands(PROGRAM)) {
      const found = await completed(`goromdb ${command.name} -`);
      const flags = flagsOf(command).map(({ name }) => `-${name}`);
      expect(found, command.name).toEqual(expect.arrayContaining(flags));
    }
  });
});

test.each([
  ['goromdb pub', 'publish '],
  ['goromdb serve -row', '-rows '],
  ['goromdb build a -rows t', 'tsv '],
  ['goromdb -keep', '-keep-previous '],
  ['goromdb completion f', 'fish '],
  ['goromdb rollback -base', '-basedir '],
])('zsh completes %j to %j', async (line, found) => {
  requirePackages('zsh');
  const script = join(folder, '_goromdb');
  writeFileSync(script, zshCompletion(PROGRAM));
  expect(await run('zsh', ['-f', ZSH, script, line, found])).toMatchObject({ code: 0 });
});

test('the commands that goromdb serve prints read the key', async () => {
  requirePackages('netcat-openbsd', 'redis-tools', 'python3-pymemcache');
  const csv = join(folder, 'users.csv');
  writeFileSync(csv, 'id,name\nuser:7,ann\n');
  const args = ['-addr', '127.0.0.1:0', csv, '-key', 'id', '-value', 'name'];
  const server = new GoromdbProcess(['serve', ...args]);
  await server.says(/Ctrl-C ends it/);
  const commands = server.stdout.match(/(?<=^ {2})\S.*$/gm) ?? [];
  // Debian's programs, whatever others there are.
  const env = { PATH: '/usr/bin:/bin' };
  const asked = commands.map((command) => run('sh', ['-c', command], { env }));
  const answers = await Promise.all(asked);
  expect(answers.map(({ stdout }) => stdout)).toEqual([
    'VALUE user:7 0 3\r\nann\r\nEND\r\n',
    'ann\n',
    "b'ann'\n",
  ]);
  // So that it removes its folders.
  await server.kill('SIGTERM');
});
