/** Where etcd is: for the commands that ask it. */
import { misuse, optionGroup, type ValuesOf } from './option.ts';
import { FILE, parseName, parseUrl } from './values.ts';

export const ETCD = optionGroup('etcd', {
  etcd: {
    placeholder: 'URL',
    help: 'client URLs of the members of etcd, separated by commas',
    parse: (text: string): readonly string[] =>
      text.split(',').map((one) => parseUrl(one).href.replace(/\/$/, '')),
    repeats: true,
    fallbackNote: 'required',
  },
  'etcd-login-file': {
    ...FILE,
    help: "file with one line user:password, for an etcd with 'auth enable'",
    fallbackNote: 'no login',
  },
  'etcd-ca': { ...FILE, help: "authorities of etcd's certificates (PEM)" },
  'etcd-cert': { ...FILE, help: 'client certificate for etcd (PEM)' },
  'etcd-key': { ...FILE, help: 'private key of that certificate (PEM)' },
  prefix: {
    placeholder: 'TEXT',
    help: 'prefix of the keys in etcd; nothing else may write below it',
    parse: parseName,
    fallback: '/goromdb/once/',
  },
});

/** An etcd, and where in it the keys are. */
export interface EtcdPlace {
  readonly urls: readonly string[];
  readonly loginFile: string | undefined;
  readonly tls: {
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
  };
  /** What all keys in it begin with. */
  readonly prefix: string;
}

/** @throws GoromdbError OPTION_INVALID for a certificate without its key, and the reverse. */
export function placeOf(values: ValuesOf<typeof ETCD>): EtcdPlace {
  if ((values['etcd-cert'] === undefined) !== (values['etcd-key'] === undefined)) {
    throw misuse('-etcd-cert and -etcd-key belong together: give both or none');
  }
  return {
    urls: values.etcd ?? [],
    loginFile: values['etcd-login-file'],
    tls: { ca: values['etcd-ca'], cert: values['etcd-cert'], key: values['etcd-key'] },
    prefix: values.prefix,
  };
}
