import process from 'node:process';
import { VERSION } from '../common/version.ts';
import { runDemo } from './commands/demo.ts';
import { publish } from './commands/publish.ts';
import { rollback } from './commands/rollback.ts';
import { showStatus } from './commands/status.ts';
import { checkConfig, serveConfig } from './config/reread.ts';
import { parseCommandLine } from './parse.ts';
import { bench } from './process/bench-report.ts';
import { fail, serve } from './process/run-server.ts';

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
      await runDemo(invocation.address, argv);
      return;
    case 'publish':
      process.exitCode = await publish(invocation.options).catch(fail);
      return;
    case 'rollback':
      await rollback(invocation.basedir, invocation.json).catch(fail);
      return;
    case 'status':
      process.exitCode = await showStatus(invocation.basedir, invocation.json).catch(fail);
      return;
    case 'bench':
      await bench(invocation.options);
      return;
    case 'check-config':
      process.exitCode = await checkConfig(invocation.path).catch(fail);
      return;
    case 'serve-config':
      await serveConfig(invocation.path, argv);
      return;
    case 'serve':
      await serve(invocation.options, argv);
  }
}
