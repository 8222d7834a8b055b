import { backup } from './backup.ts';
import { bench } from './bench.ts';
import { build } from './build.ts';
import { check } from './check.ts';
import { checkConfig } from './check-config.ts';
import { cluster } from './cluster.ts';
import type { Command } from './command.ts';
import { completionOf } from './completion.ts';
import { diff } from './diff.ts';
import { dump } from './dump.ts';
import { get } from './get.ts';
import { health } from './health.ts';
import { once } from './once.ts';
import { onceExport } from './once-export.ts';
import { onceImport } from './once-import.ts';
import { publish } from './publish.ts';
import { restore } from './restore.ts';
import { rollback } from './rollback.ts';
import { serve } from './serve.ts';
import { server } from './server.ts';
import { split } from './split.ts';
import { status } from './status.ts';
import { upgrade } from './upgrade.ts';

/** The command that runs when none is named. */
export const DEFAULT_COMMAND: Command = server;

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  server,
  serve,
  build,
  check,
  get,
  dump,
  diff,
  split,
  publish,
  checkConfig,
  status,
  rollback,
  upgrade,
  backup,
  restore,
  health,
  bench,
  once,
  onceImport,
  onceExport,
  cluster,
  completionOf(() => COMMANDS.filter((command) => command !== DEFAULT_COMMAND), DEFAULT_COMMAND),
];
