import process from 'node:process';
import type { Goromdb } from '../../app/app.ts';
import type { ServerPlan } from '../../app/options.ts';
import { messageOf } from '../../common/errors.ts';
import { SCRUB_RATE_DEFAULT } from '../../loader/generations/scrub.ts';
import { firstReads } from '../local/first-reads.ts';
import { removeKilledServers } from '../local/left-behind.ts';
import { checkKeyIsNamed, type LocalData, localDataOf } from '../local/local-data.ts';
import { firstReceipt, startLocal } from '../local/local-server.ts';
import { type LocalFolders, makeLocalFolders } from '../local/preparation.ts';
import { copySample } from '../local/sample.ts';
import { someKey } from '../local/some-key.ts';
import { welcome } from '../local/welcome.ts';
import { DATA_SET_OPTIONS, dataSetOf, READ_OPTIONS } from '../options/data.ts';
import { misuse, type ValuesOf } from '../options/option.ts';
import { ROW_OPTIONS } from '../options/rows.ts';
import { SERVER_OPTIONS, serverOf } from '../options/server.ts';
import { EXIT_BAD_DATA, failInput } from '../process/fail.ts';
import { type Reporting, runServer } from '../process/run-server.ts';
import { defineCommand } from './command.ts';

const { file: _file, basedir: _basedir, prefix: _prefix, ...DATA } = DATA_SET_OPTIONS;
const { 'keep-previous': _previous, 'scrub-rate': _rate, ...READING } = DATA;

const { delimiter: _delimiter, ...SERVING } = SERVER_OPTIONS;

const OPTIONS = {
  ...ROW_OPTIONS,
  ...READING,
  ...SERVING,
  addr: { ...SERVER_OPTIONS.addr, fallback: '127.0.0.1:11211' },
};

/** Which of them are about a file that the server reads as it is. */
const OF_FORMATS = Object.keys(READ_OPTIONS);

/** What to serve; without data the sample. */
interface ServeRequest {
  readonly data: LocalData | undefined;
  readonly values: ValuesOf<typeof OPTIONS>;
  readonly server: Omit<ServerPlan, 'dataSets'>;
}

export const serve = defineCommand({
  name: 'serve',
  summary: 'Serves local files, and reads them again when they change; without FILE, a sample.',
  usage: 'goromdb serve [flags] [FILE...]',
  notes: `
Examples:
  goromdb serve users.csv -key id
  goromdb serve data.json -addr :11211 -http 127.0.0.1:11280

FILE is what goromdb build reads, or - for standard input. goromdb reads it
again half a second after the last change. If it cannot read the change, it logs
why, and the old data keeps serving.`,
  exitCodes: {
    0: 'a signal ended it',
    1: 'it cannot serve',
    2: 'a flag is wrong',
    3: 'FILE is bad at the start',
  },
  options: OPTIONS,
  takesArguments: true,
  read({ values, args, given }): ServeRequest {
    const data = args.length === 0 ? undefined : localDataOf(args, values, given);
    const lone = data?.rows !== undefined && OF_FORMATS.find((name) => given.has(name));
    if (lone) throw misuse(`-${lone} is for one file that is served as it is, without -key`);
    return {
      data,
      values,
      server: { ...serverOf({ ...values, delimiter: undefined }, given), delimiter: undefined },
    };
  },
  async run({ data: given, values, server }, argv) {
    const sample = given === undefined ? copySample() : undefined;
    const data = given ?? { inputs: [sample?.path ?? ''], rows: undefined };
    await removeKilledServers();
    const folders = makeLocalFolders(data);
    const { 'poll-interval': pollIntervalMs, rescan: rescanMs } = values;
    const plan = { ...server, dataSets: [dataSetIn(folders, values)] };
    const start = async (reporting: Reporting): Promise<Goromdb> => {
      await checkKeyIsNamed(data);
      const local = { data, folders, server: plan, pollIntervalMs, rescanMs };
      const goromdb = await startLocal(local, reporting);
      // Not before it serves: the printed commands must find the data.
      const greet = async (): Promise<void> => {
        const receipt = await firstReceipt(folders.file);
        // The log says why.
        if (receipt.state !== 'serving') process.exit(EXIT_BAD_DATA);
        const key = sample?.key ?? (await someKey(folders.basedir, receipt.slot));
        const reads = key && firstReads({ ...server, address: goromdb.address }, key);
        process.stdout.write(welcome(data, receipt.keys, reads || [], sample));
      };
      greet().catch((error) =>
        reporting.logger.warn(`cannot say how to read: ${messageOf(error)}`, {
          event: 'hint-failed',
        }),
      );
      return goromdb;
    };
    // It belongs to its terminal, and ends with it.
    return runServer(argv, start, { onHangUp: 'end', log: server.log }).catch((error) =>
      failInput(error),
    );
  },
});

/** The data set of a private folder. It keeps one generation: nobody rolls back there. */
function dataSetIn({ file, basedir }: LocalFolders, values: ValuesOf<typeof OPTIONS>) {
  const rest = {
    prefix: undefined,
    'keep-previous': 'no',
    'scrub-rate': SCRUB_RATE_DEFAULT,
  } as const;
  return dataSetOf({ ...values, ...rest, file, basedir });
}
