import { isDeepStrictEqual } from 'node:util';
import type { GoromdbDataSets } from '../../app/app.ts';
import { codeOf, messageOf } from '../../common/errors.ts';
import type { Logger } from '../../common/log.ts';
import { type Config, readChecked } from './config-file.ts';

/**
 * Makes what SIGHUP calls for a server with a configuration file: it reads the file again and
 * changes to the data sets in it. Signals that come meanwhile cause one more run.
 *
 * @param first What the server was started with.
 */
export function rereader(
  path: string,
  first: Config,
): (server: GoromdbDataSets, logger: Logger) => Promise<void> {
  let current = first;
  const once = oneAtATime(async (server: GoromdbDataSets, logger: Logger) => {
    try {
      const next = await readChecked(path);
      await server.change(next.plan);
      const waiting = restartKeys(first, next);
      if (waiting.length > 0) {
        const what = `a change of ${waiting.join(', ')} takes effect at the next start`;
        logger.warn(`${path}: ${what}`, { event: 'config-needs-restart', path });
      } else {
        const isSame = isDeepStrictEqual(next.plan, current.plan);
        const what = isSame ? ': nothing has changed' : '';
        logger.info(`${path} was read again${what}`, { event: 'config-read', path });
      }
      await server.reload();
      current = next;
    } catch (error) {
      const fields = { event: 'reload-failed', code: codeOf(error), path } as const;
      logger.error(`not reloaded: ${messageOf(error)}; what was in use stays`, fields);
    }
  });
  return once;
}

/**
 * Runs a job never twice at a time: all calls while it runs cause one more run behind it.
 */
export function oneAtATime<A extends readonly unknown[]>(
  job: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  let isRunning = false;
  let isAskedAgain = false;
  return async (...args) => {
    isAskedAgain = true;
    if (isRunning) return;
    isRunning = true;
    while (isAskedAgain) {
      isAskedAgain = false;
      await job(...args);
    }
    isRunning = false;
  };
}

/** The keys that only a start can change and that are not as they were at the start. */
function restartKeys({ serverValues: before }: Config, { serverValues: now }: Config): string[] {
  const keys = new Set([...before.keys(), ...now.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(before.get(key), now.get(key)));
}
