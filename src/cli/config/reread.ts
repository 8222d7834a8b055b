/** The commands that take a configuration file. */
import process from 'node:process';
import { isDeepStrictEqual } from 'node:util';
import { checkDataSets, type GoromdbDataSets, startDataSets } from '../../app/app.ts';
import type { PrefixedDataSet } from '../../app/options.ts';
import { formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { run, type Tellers } from '../process/run-server.ts';
import { type Config, readConfig } from './config-file.ts';

/** Wrong flags, and a file that is not right. */
const EXIT_MISUSE = 2;

/** Says whether a file is right. @returns The exit code. */
export async function checkConfig(path: string): Promise<number> {
  const config = await readChecked(path).catch(tellMisuse);
  if (config === undefined) return EXIT_MISUSE;
  const { address, dataSets } = config.options;
  const count = dataSets.length === 1 ? '1 data set' : `${dataSets.length} data sets`;
  const lines = [`${path} is ok: ${count} on ${formatAddress(address)}`];
  for (const one of dataSets) lines.push(`  ${describe(one)}`);
  process.stdout.write(`${lines.map(oneLine).join('\n')}\n`);
  return 0;
}

/** Serves what a file says, and at SIGHUP what it says then. @param argv For the log. */
export async function serveConfig(path: string, argv: readonly string[]): Promise<void> {
  const config = await readChecked(path).catch(tellMisuse);
  if (config === undefined) process.exit(EXIT_MISUSE);
  let current: Config = config;
  const take = async (server: GoromdbDataSets, tellers: Tellers): Promise<void> => {
    try {
      current = await reread(path, config, current, server, tellers);
    } catch (error) {
      tellers.logger.error(`not taken: ${messageOf(error)}; all stays as it was`);
    }
  };
  const takeOnce = oneAtATime(take);
  await run(
    argv,
    (tellers) => startDataSets({ ...config.options, ...tellers }),
    (server, tellers) => void takeOnce(server, tellers),
  );
}

/**
 * Has a work done one time after the other. Asked for several times meanwhile, it is done once more:
 * that sees what all of them wanted to be seen.
 */
export function oneAtATime<A extends readonly unknown[]>(
  work: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  let isRunning = false;
  let isAskedAgain = false;
  return async (...args) => {
    isAskedAgain = true;
    if (isRunning) return;
    isRunning = true;
    while (isAskedAgain) {
      isAskedAgain = false;
      await work(...args);
    }
    isRunning = false;
  };
}

/**
 * Reads the file again, and goes over to its data sets.
 *
 * @param first What the server was started with.
 */
async function reread(
  path: string,
  first: Config,
  current: Config,
  server: GoromdbDataSets,
  { logger }: Tellers,
): Promise<Config> {
  const next = await readChecked(path);
  const { dataSets } = next.options;
  const isSame = isDeepStrictEqual(next.options, current.options);
  await server.change({ dataSets });
  const waiting = restartKeys(first, next);
  if (waiting.length > 0) {
    logger.warn(`${path}: a change of ${waiting.join(', ')} takes effect at the next start`);
  } else {
    logger.info(`${path} was read again${isSame ? ', and says what it said before' : ''}`);
  }
  server.reload();
  return next;
}

/** The keys that only a start can change and that are not as they were at the start. */
function restartKeys({ serverValues: before }: Config, { serverValues: now }: Config): string[] {
  const keys = new Set([...before.keys(), ...now.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(before.get(key), now.get(key)));
}

/** A file that is right by itself, and whose data sets go together. */
export async function readChecked(path: string): Promise<Config> {
  const config = readConfig(path);
  try {
    await checkDataSets(config.options);
  } catch (error) {
    if (!(error instanceof GoromdbError)) throw error;
    throw new GoromdbError(error.code, `${path}: ${error.message}`, { cause: error });
  }
  return config;
}

/** What a person can mend is told in one line. */
function tellMisuse(error: unknown): undefined {
  if (!(error instanceof GoromdbError)) throw error;
  process.stderr.write(`goromdb: ${oneLine(error.message)}\n`);
}

function describe({ prefix, file, storage }: PrefixedDataSet): string {
  const keys = prefix === undefined ? 'all other keys' : `keys under ${prefix}`;
  return `${keys}: ${file} (${storage})`;
}
