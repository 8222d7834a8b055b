import process from 'node:process';
import { VERSION } from '../version.ts';
import { bench } from './bench.ts';
import { runDemo } from './demo.ts';
import { parseCommandLine } from './flags.ts';
import { serve } from './serve.ts';

/**
 * The command `goromdb`.
 *
 * @param argv The arguments, without node and the script.
 */
export async function main(argv: readonly string[]): Promise<void> {
  const invocation = parseCommandLine(argv, VERSION);
  switch (invocation.kind) {
    case 'print':
      process.stdout.write(`${invocation.text}\n`);
      return;
    case 'usage-error':
      process.stderr.write(`${invocation.message}\n`);
      process.exitCode = invocation.exitCode;
      return;
    case 'demo':
      await runDemo(invocation.address);
      return;
    case 'bench':
      await bench(invocation.options);
      return;
    case 'serve':
      await serve(invocation.options);
  }
}
