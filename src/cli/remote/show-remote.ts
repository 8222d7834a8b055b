import process from 'node:process';
import { oneLine } from '../../common/log.ts';
import { keysOf } from '../../common/quantities.ts';
import { type HttpPlace, nameOf } from './http-get.ts';
import type { Asking } from './memcached-stats.ts';
import {
  type RemoteSet,
  type RemoteStatus,
  readHttpStatus,
  readStatsStatus,
} from './remote-status.ts';

/** As of `goromdb status` on a base folder. */
const EXIT = { serves: 0, noData: 4, damaged: 5 } as const;
type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * Prints the status of a server elsewhere.
 *
 * @param place The URL of its -http, or where it answers memcached clients.
 * @returns The exit code.
 * @throws GoromdbError SERVER_FAILED when it does not answer.
 */
export async function showRemote(
  place: HttpPlace,
  isJson: boolean,
  asking?: Asking,
): Promise<ExitCode> {
  const isUrl = place instanceof URL;
  const status = await (isUrl ? readHttpStatus(place) : readStatsStatus(place, asking));
  const text = isJson
    ? JSON.stringify(status.raw, undefined, 2)
    : describe(status, nameOf(place)).map(oneLine).join('\n');
  process.stdout.write(`${text}\n`);
  return exitCodeOf(status.sets);
}

function exitCodeOf(sets: readonly RemoteSet[]): ExitCode {
  if (sets.length === 0 || sets.some(({ serving }) => serving === undefined)) return EXIT.noData;
  return sets.some(({ isDamaged }) => isDamaged) ? EXIT.damaged : EXIT.serves;
}

function describe(status: RemoteStatus, name: string): readonly string[] {
  const { version, pid, uptimeSeconds, connections, sets } = status;
  const since = new Date(Date.now() - uptimeSeconds * 1000).toISOString();
  const edition = version === undefined ? '' : `, version ${version}`;
  return [
    `server   ${name}${edition}, pid ${pid}, up since ${since}, connections: ${connections}`,
    ...sets.flatMap((set) => describeSet(set, sets.length > 1)),
  ];
}

function describeSet(
  { prefix, serving, notes }: RemoteSet,
  areSeveral: boolean,
): readonly string[] {
  const title = prefix === '' ? 'all other keys' : prefix;
  const name = areSeveral || prefix !== '' ? `${title}: ` : '';
  return [`serves   ${name}${liveText(serving)}`, ...notes.map((note) => `         ${note}`)];
}

function liveText(serving: RemoteSet['serving']): string {
  if (serving === undefined) return 'nothing: every key is a miss';
  const { generation, keys, md5, format, installedAtMs } = serving;
  const isKnown = Number.isFinite(installedAtMs) && Math.abs(installedAtMs) < 8.64e15;
  const at = isKnown ? new Date(installedAtMs).toISOString() : 'an unknown time';
  return `generation ${generation}, ${keysOf(keys)}, of ${format}, md5 ${md5}, installed ${at}`;
}
