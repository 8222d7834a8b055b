import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import { readAtMost } from '../../common/files.ts';
import { findServer } from '../../control/control-client.ts';
import { findHolder } from '../../control/folder-lock.ts';

/** The first line of the file of shards. */
export const MADE_BY = '# Made by goromdb cluster up, which replaces it.';

/** The folder with the folder of each node. */
const NODES = 'nodes';

/** The folder of a node. */
export function nodeFolder(dir: string, name: string): string {
  return join(dir, NODES, name);
}

/** The base folder of a node. */
export function stateFolder(dir: string, name: string): string {
  return join(nodeFolder(dir, name), 'state');
}

/**
 * A cluster's own file must not be lost by a trial, nor its data be changed while nodes serve it.
 *
 * @throws GoromdbError OPTION_INVALID when others have written the file of shards, FOLDER_IN_USE when a
 *   node runs.
 */
export async function checkTrialFolder(dir: string): Promise<void> {
  await checkShardsFile(dir);
  const names = await readdir(join(dir, NODES)).catch(() => []);
  for (const name of names.sort()) await checkNoServer(dir, name);
}

async function checkShardsFile(dir: string): Promise<void> {
  const path = join(dir, 'shards.toml');
  const there = existsSync(path) ? (await readAtMost(path, MADE_BY.length)).toString() : MADE_BY;
  if (there === MADE_BY) return;
  const message = `${path}: expected none, or one that goromdb cluster up has made: choose another -dir`;
  throw new GoromdbError('OPTION_INVALID', message);
}

async function checkNoServer(dir: string, name: string): Promise<void> {
  const folder = stateFolder(dir, name);
  if (!existsSync(folder)) return;
  // A server of another network namespace is seen by its socket only.
  const holder = (await findHolder(folder)) ?? (await findServer(folder));
  if (holder === undefined) return;
  // One that is stopped does not say its pid.
  const who = holder.pid === 0 ? 'it does not say its pid' : `pid ${holder.pid} on ${holder.host}`;
  const message = `${dir}: expected a folder that no cluster uses, found that its node ${name} runs (${who}); nothing was changed: end that cluster, or choose another -dir`;
  throw new GoromdbError('FOLDER_IN_USE', message);
}
