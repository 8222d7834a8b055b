/** What belongs in this folder: the program `goromdb`, from its command line to its exit code. */
import process from 'node:process';
import { VERSION } from '../common/version.ts';
import { parseCommandLine } from './parse.ts';
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
  const invocation = parseCommandLine(argv, VERSION);
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
