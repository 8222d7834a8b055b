import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { loadCommand } from '../../src/cli/commands/load.ts';

test('each command is found in the file that has its name', async () => {
  for (const command of COMMANDS) {
    // Its list of commands needs all of them.
    if (command.name === 'completion') continue;
    expect(await loadCommand(command.name)).toBe(command);
  }
});

test.each([
  'completion',
  'command',
  'commands',
  'load',
  'nothing',
  '',
  '../main',
  'health.ts',
  '-x',
])('a file of %j has no command of that name', async (name) => {
  expect(await loadCommand(name)).toBeUndefined();
});
