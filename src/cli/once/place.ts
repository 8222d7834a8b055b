import { readFileSync } from 'node:fs';
import { connectEtcd } from '../../etcd/connect.ts';
import type { Etcd } from '../../etcd/etcd.ts';
import type { EtcdPlace } from '../options/etcd.ts';
import { misuse } from '../options/option.ts';

/**
 * A client of the etcd that options name. It connects when it is first asked.
 *
 * @throws GoromdbError OPTION_INVALID; what the file system throws.
 */
export function connectPlace({ urls, loginFile, tls: { ca, cert, key } }: EtcdPlace): Etcd {
  const tls = {
    ...(ca && { ca: readFileSync(ca) }),
    ...(cert && { cert: readFileSync(cert) }),
    ...(key && { key: readFileSync(key) }),
  };
  return connectEtcd({ endpoints: urls, tls, ...(loginFile && { login: loginOf(loginFile) }) });
}

/** The first line of a file: `user:password`. */
function loginOf(path: string): { readonly user: string; readonly password: string } {
  const [line] = readFileSync(path, 'utf8').split(/\r?\n/, 1);
  const colon = line.indexOf(':');
  if (colon > 0) return { user: line.slice(0, colon), password: line.slice(colon + 1) };
  throw misuse(`-etcd-login-file: ${path}: expected a line user:password, found none`);
}
