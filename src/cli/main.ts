/** What belongs in this folder: the program `goromdb`, from its command line to its exit code. */
import process from 'node:process';
import { VERSION } from '../common/version.ts';
import { loadCommand } from './commands/load.ts';
import { commandFirst, type Invocation, parseCommandLine } from './parse.ts';
import { EXIT_MISUSE, endWithReader, fail, tellPredecessor } from './process/fail.ts';

/**
 * The command `goromdb`.
 *
 * @param argv The arguments, without node and the script.
 */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', endWithReader);
  // A warning that nobody reads ends nothing.
  process.stderr.on('error', () => {});
  const invocation = await read(argv);
  switch (invocation.kind) {
    case 'print':
      process.stdout.write(`${invocation.text}\n`);
      return;
    case 'usage-error':
      process.stderr.write(`${invocation.message}\n`);
      tellPredecessor(invocation.message);
      process.exitCode = EXIT_MISUSE;
      return;
    case 'task':
      process.exitCode = await invocation.task.run(argv).catch(fail);
  }
}

/** Only the file of the command that is run is loaded; help and mistakes need all. */
async function read(argv: readonly string[]): Promise<Invocation> {
  const [name] = commandFirst(argv);
  const wanted = await loadCommand(name);
  if (wanted !== undefined) {
    const invocation = parseCommandLine(argv, VERSION, [wanted]);
    if (invocation.kind === 'task') return invocation;
  }
  const { COMMANDS } = await import('./commands/commands.ts');
  return parseCommandLine(argv, VERSION, COMMANDS);
}
