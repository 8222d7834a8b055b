import process from 'node:process';
import { formatAddress } from '../common/address.ts';
import { GoromdbError } from '../common/errors.ts';
import { addressOfSocket } from '../server/inherited.ts';
import type { RoleSockets } from '../upgrade/upgrade.ts';

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const LISTEN_FDS_START = 3;
/** Sockets that a unit may pass; three have a use. */
const SOCKETS_MAX = 64;
/** The names of sockets for HTTP, and for clients of a Redis Cluster; any other name is one for data. */
const NAMES = ['http', 'cluster'] as const;

/**
 * The sockets that systemd has bound for this process (sd_listen_fds(3)). They are listened on in place
 * of `-addr`, `-http` and `cluster-address`.
 *
 * @param env From which they are removed: they are not for processes that this one starts.
 * @throws GoromdbError OPTION_INVALID, ADDRESS_UNAVAILABLE.
 */
export function takeListenFds(env: NodeJS.ProcessEnv): readonly RoleSockets[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names = '' } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (pid === undefined || Number(pid) !== process.pid) return [];
  const length = Number(count);
  if (!Number.isInteger(length) || length < 0 || length > SOCKETS_MAX) {
    const message = `LISTEN_FDS: expected a number up to ${SOCKETS_MAX}, found ${JSON.stringify(count)}`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  const nameOf = names.split(':');
  const sockets = Array.from({ length }, (_, i): RoleSockets => {
    const fd = LISTEN_FDS_START + i;
    const role = NAMES.find((name) => name === nameOf[i]) ?? 'data';
    return { role, asked: undefined, address: addressOfSocket(fd), fds: [fd] };
  });
  checkRoles(sockets);
  return sockets;
}

function checkRoles(sockets: readonly RoleSockets[]): void {
  for (const wanted of ['data', ...NAMES]) {
    const found = sockets.filter(({ role }) => role === wanted);
    if (found.length <= 1) continue;
    const where = found.map(({ address }) => formatAddress(address)).join(', ');
    const name = wanted === 'data' ? `of another name than ${NAMES.join(', ')}` : `named ${wanted}`;
    const message = `LISTEN_FDS: expected one socket ${name}, found ${where}: leave one ListenStream in the unit of the socket`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
}
