/** How servers are asked that want TLS or a login: for the commands that ask them as clients do. */
import { firstLogin, loadClientTls, loadUsers } from '../../server/access.ts';
import type { Asking } from '../remote/memcached-stats.ts';
import { misuse, optionGroup, type ValuesOf } from './option.ts';
import { BOOLEAN, FILE } from './values.ts';

export const ASKING = optionGroup('Servers with TLS or a login', {
  tls: { ...BOOLEAN, help: 'use TLS, for servers whose certificates this system trusts' },
  'tls-ca': { ...FILE, help: 'use TLS, for servers with certificates of these authorities (PEM)' },
  'tls-cert': { ...FILE, help: 'use TLS, with this client certificate (PEM)' },
  'tls-key': { ...FILE, help: 'private key of that certificate (PEM)' },
  'auth-file': {
    ...FILE,
    help: 'file of user:password lines, as for the servers; the first user logs in',
    fallbackNote: 'no login',
  },
});

/** @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID. */
export function askingOf(values: ValuesOf<typeof ASKING>): Asking {
  const { 'tls-ca': caFile, 'tls-cert': certFile, 'tls-key': keyFile } = values;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw misuse('-tls-cert and -tls-key belong together: give both or none');
  }
  const isEncrypted = values.tls || caFile !== undefined || certFile !== undefined;
  const { 'auth-file': userFile } = values;
  if (userFile !== undefined) loadUsers(userFile);
  return {
    tls: isEncrypted ? loadClientTls({ caFile, certFile, keyFile }) : undefined,
    login: userFile === undefined ? undefined : firstLogin(userFile),
  };
}

/** Refuses options of {@link ASKING} where no server is asked so. */
export function refuseAsking(given: ReadonlySet<string>, why: string): void {
  const name = Object.keys(ASKING).find((one) => given.has(one));
  if (name !== undefined) throw misuse(`-${name}: ${why}`);
}
