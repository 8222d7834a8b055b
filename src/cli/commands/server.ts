import process from 'node:process';
import { startPlan } from '../../app/app.ts';
import type { ServerPlan } from '../../app/options.ts';
import type { RunningServer } from '../../app/running-server.ts';
import { takeListenFds } from '../../systemd/socket-activation.ts';
import { readChecked } from '../config/config-file.ts';
import { rereader } from '../config/reread.ts';
import { DATA_SET_OPTIONS, dataSetOf } from '../options/data.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { SERVER_OPTIONS, serverOf } from '../options/server.ts';
import { FILE } from '../options/values.ts';
import { EXIT_MISUSE, printMisuse } from '../process/fail.ts';
import { predecessor } from '../process/predecessor.ts';
import { type HangUp, type Reporting, runServer } from '../process/run-server.ts';
import { type Upgraded, Upgrading } from '../process/upgrading.ts';
import { defineCommand } from './command.ts';

const CONFIG = optionGroup('Data', {
  config: {
    ...FILE,
    help: 'configuration file (TOML) of one or several data sets; excludes all other flags',
    only: 'flag',
  },
});

/** A plan made from flags, or the file that holds one. */
export type ServeRequest = { readonly plan: ServerPlan } | { readonly config: string };

export const server = defineCommand({
  name: 'server',
  summary:
    'Serves the newest version of a database file to memcached and Redis clients, read-only.',
  usage: 'goromdb -file PATH [flags]\n       goromdb -config PATH\n       goromdb COMMAND [flags]',
  notes: `
To publish, write PATH, and its MD5 as PATH.md5, in either order. When the two
match, goromdb moves the file to its base folder and serves it. No request fails
meanwhile.

Examples:
  goromdb -file /srv/drop/data.json -addr 127.0.0.1:11211
  cd /srv/drop && cp ~/data.json . && md5sum data.json > data.json.md5

Flags may be written -flag X, -flag=X, --flag X or --flag=X.`,
  exitCodes: {
    0: 'SIGTERM, SIGINT or the command shutdown ended it',
    1: 'it could not start, or could not go on',
    2: 'a flag, or the file of -config, is wrong',
  },
  options: { ...DATA_SET_OPTIONS, ...CONFIG, ...SERVER_OPTIONS },
  read({ values, given }): ServeRequest {
    const { config } = values;
    if (config !== undefined) {
      refuseOthers(given);
      return { config };
    }
    const dataSets = [dataSetOf(values)];
    return { plan: { ...serverOf(values, given), dataSets, delimiter: undefined } };
  },
  async run(request, argv) {
    if ('plan' in request) return runPlan(request.plan, argv, (server) => server.reload());
    const config = await readChecked(request.config).catch(printMisuse);
    if (config === undefined) return EXIT_MISUSE;
    return runPlan(config.plan, argv, rereader(request.config, config));
  },
});

function runPlan(
  plan: ServerPlan,
  argv: readonly string[],
  onHangUp: HangUp<RunningServer>,
): Promise<never> {
  const upgrading = new Upgrading();
  const before = predecessor();
  const inherited = before?.inherited ?? { sockets: takeListenFds(process.env), locks: [] };
  const { http } = plan;
  if (
    http === undefined &&
    inherited.sockets.some(({ role }) => role === 'http' && before === undefined)
  ) {
    throw misuse('-http: expected it, since LISTEN_FDNAMES has a socket for it, found none');
  }
  const start = (reporting: Reporting): Promise<RunningServer> => {
    const upgrade = (): Promise<Upgraded> => upgrading.runFor('goromdb upgrade', reporting.logger);
    return startPlan({ ...plan, ...reporting, inherited, predecessor: before, upgrade });
  };
  return runServer(argv, start, { onHangUp, upgrades: upgrading, log: plan.log });
}

function refuseOthers(given: ReadonlySet<string>): void {
  const others = [...given].filter((name) => name !== 'config').map((name) => `-${name}`);
  if (others.length === 0) return;
  throw misuse(
    `-config: expected no other flag, found ${others.join(', ')}: write it into the file`,
  );
}
