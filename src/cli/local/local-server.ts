import { setTimeout as delay } from 'node:timers/promises';
import { type Goromdb, startPlan } from '../../app/app.ts';
import type { ServerPlan } from '../../app/options.ts';
import type { Built } from '../../build/build.ts';
import { codeOf, isChange, messageOf } from '../../common/errors.ts';
import type { Logger } from '../../common/log.ts';
import { type Receipt, readReceipt } from '../../loader/drops/receipt.ts';
import { checkAddress } from '../../server/listener.ts';
import type { Reporting } from '../process/run-server.ts';
import { FileWatch } from './file-watch.ts';
import { type LocalData, titleOf } from './local-data.ts';
import { type LocalFolders, prepare, remarksOf } from './preparation.ts';

/** How often the receipt of the first drop is looked at. */
const POLL_MS = 20;

/** A server of local data. */
export interface LocalPlan {
  readonly data: LocalData;
  readonly folders: LocalFolders;
  /** Of a server that waits for the data in these folders. */
  readonly server: ServerPlan;
  /** See `FileWatchOptions`. */
  readonly pollIntervalMs: number;
  readonly rescanMs: number;
}

/**
 * Starts a server of local data, whose first drop is there, and drops the data again when it changes. What
 * cannot be read then is logged, and the serving generation keeps serving.
 *
 * @throws GoromdbError as `startGoromdb`, and as `buildTable` and `dropFile` for the first drop.
 */
export async function startLocal(plan: LocalPlan, reporting: Reporting): Promise<Goromdb> {
  const { data, server, pollIntervalMs, rescanMs } = plan;
  const { logger } = reporting;
  // A large file takes a while: an address in use is an error at once.
  await checkAddress(server.address);
  logger.info(`reads ${titleOf(data)}`, { event: 'file-reading' });
  const paths = data.inputs.includes('-') ? [] : data.inputs;
  const watch = new FileWatch({ paths, pollIntervalMs, rescanMs, logger });
  try {
    const known = await prepareFirst(plan, watch, logger);
    const goromdb = await startPlan({ ...server, ...reporting });
    if (paths.length > 0) void follow(plan, watch, known, logger);
    void goromdb.done.finally(() => watch.close()).catch(() => {});
    return goromdb;
  } catch (error) {
    await watch.close();
    throw error;
  }
}

/** Resolves when the first drop serves, or is rejected. */
export async function firstReceipt(file: string): Promise<Receipt> {
  for (;;) {
    const receipt = await readReceipt(file);
    if (receipt?.state === 'serving' || receipt?.state === 'rejected') return receipt;
    await delay(POLL_MS);
  }
}

/** @returns The key of the content that was read. */
async function prepareFirst(
  { data, folders }: LocalPlan,
  watch: FileWatch,
  logger: Logger,
): Promise<string | undefined> {
  for (;;) {
    try {
      const { built, key } = await prepare(data, folders);
      say(built, data, logger);
      return key;
    } catch (error) {
      if (!isChange(error)) throw error;
      logger.warn(messageOf(error), { event: 'file-failed', code: codeOf(error) });
      await watch.next(undefined);
    }
  }
}

async function follow(
  { data, folders }: LocalPlan,
  watch: FileWatch,
  first: string | undefined,
  logger: Logger,
): Promise<void> {
  let known = first;
  for (;;) {
    known = await watch.next(known);
    if (known === undefined) return;
    logger.info(`${titleOf(data)} has changed: it is read again`, { event: 'file-reading' });
    try {
      const { built } = await prepare(data, folders);
      say(built, data, logger);
    } catch (error) {
      const next = isChange(error) ? '' : '; it is read again when it changes';
      const fields = { event: 'file-failed', code: codeOf(error) } as const;
      logger.error(`${messageOf(error)}; the serving generation keeps serving${next}`, fields);
    }
  }
}

function say(built: Built | undefined, data: LocalData, logger: Logger): void {
  for (const remark of built === undefined ? [] : remarksOf(built)) {
    logger.warn(`${titleOf(data)}: ${remark}`, { event: 'file-warning' });
  }
}
