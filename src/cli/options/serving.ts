import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { Address } from '../../common/address.ts';
import type { Guards } from '../../loader/generations/guards.ts';
import type { KeepPrevious } from '../../loader/slots/rollback.ts';
import { type AccessOptions, checkAccessFits } from '../../server/access.ts';
import type { Limits } from '../../server/limits.ts';
import { DEFAULT_FIELDS } from '../../storage/formats/json/json-lines.ts';
import { type BucketPath, checkSelection } from '../../storage/formats/selection.ts';
import { DEFAULT_DELIMITER } from '../../storage/scanners/namespaces.ts';
import type { FieldOptions, NamespaceOptions } from '../../storage/scanners/scanner.ts';
import { ACCESS_FLAGS, LISTEN_FLAGS, type PROTOCOL_NAMES } from './clients.ts';
import { DATA_FLAGS, GUARD_FLAGS, WATCH_FLAGS } from './data.ts';
import { RESOURCE_FLAGS } from './resources.ts';
import { type FlagTable, givenFlags, misuse, valuesOf } from './values.ts';

/** What the server was asked to do; every value is checked, every path absolute. */
export interface ServeOptions {
  readonly address: Address;
  readonly protocol: (typeof PROTOCOL_NAMES)[number];
  readonly handler: 'simple';
  /** One of the names that `-storage` takes. */
  readonly storage: string;
  /** The file to wait for. */
  readonly file: string;
  readonly gzipped: boolean;
  /** The named database inside the file; `undefined`: the unnamed one. */
  readonly bucket: BucketPath | undefined;
  /** What the fields of JSON Lines are called; `undefined`: `key` and `value`. */
  readonly fields: FieldOptions | undefined;
  /** Serve all named databases inside the file, with their names in the keys. */
  readonly namespaces: NamespaceOptions | undefined;
  /** The folder that keeps what is served. */
  readonly basedir: string;
  readonly guards: Guards;
  readonly scrub: { readonly bytesPerSecond: number };
  readonly keepPrevious: KeepPrevious;
  readonly threads: number;
  /** `Infinity`: no limit; `undefined`: the program takes a share of what the machine has. */
  /** 0: trust the events of the file system instead of polling. */
  readonly pollIntervalMs: number;
  readonly rescanMs: number;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly loudRefusals: boolean;
  readonly allowShutdown: boolean;
}

/** The flags of the server, in the order of the help. */
export const SERVE_FLAGS = {
  ...DATA_FLAGS,
  ...GUARD_FLAGS,
  ...LISTEN_FLAGS,
  ...ACCESS_FLAGS,
  ...RESOURCE_FLAGS,
  ...WATCH_FLAGS,
} as const satisfies FlagTable;

/** What stands below the flags in the help. */
export const SERVE_NOTES = `
Publishing: write PATH, and its MD5 sum as PATH.md5, in either order. Once the
two match, the file is moved away and served; no request fails meanwhile.

Example:
  goromdb -file /srv/drop/data.json -addr 127.0.0.1:11211
  cd /srv/drop && cp ~/data.json . && md5sum data.json > data.json.md5

Flags may be written -flag X, -flag=X, --flag X or --flag=X.`;

export type ServeValues = ReturnType<typeof valuesOf<typeof SERVE_FLAGS>>;

/** @throws GoromdbError when flags do not go together. */
export function serveOptions(command: Command): ServeOptions {
  return serveOptionsOf(valuesOf(command, SERVE_FLAGS), givenFlags(command));
}

/** The path that `-config` gives, if it does. @throws GoromdbError when other flags go with it. */
export function configPath(command: Command): string | undefined {
  const { config } = valuesOf(command, SERVE_FLAGS);
  if (config === undefined) return undefined;
  const others = [...givenFlags(command)].filter((name) => name !== 'config');
  if (others.length === 0) return config;
  const shown = others.map((name) => `-${name}`).join(', ');
  throw misuse(
    `-config: no other flag goes with it, and there is ${shown}: write it into the file`,
  );
}

/**
 * The options that values of the flags make, from whatever they were read.
 *
 * @param given The names of those that were not left to their defaults.
 * @throws GoromdbError when they do not go together.
 */
export function serveOptionsOf(values: ServeValues, given: ReadonlySet<string>): ServeOptions {
  const { file, storage, gzipped } = values;
  const address = values.s ?? values.addr;
  const access = accessOptions(values);
  if (file === undefined) {
    throw misuse('-file is required: the path of the file to wait for, such as -file data.json');
  }
  const namespaces = namespaceOptions(values);
  const bucket = values.bucket?.length === 1 ? values.bucket[0] : values.bucket;
  const fields = fieldOptions(values);
  checkSelection({ storage, bucket, fields, namespaces });
  checkTogether(values, given);
  checkAccessFits(access, address);
  return {
    address,
    protocol: values.proto,
    handler: values.handler,
    storage,
    file,
    gzipped,
    bucket,
    fields,
    namespaces,
    basedir: values.basedir ?? dirname(file),
    guards: {
      minKeys: values['min-keys'],
      maxShrinkPercent: values['max-shrink'],
      canaries: values.canary,
      maxHitDropPercent: values['max-hit-drop'],
    },
    scrub: { bytesPerSecond: values['scrub-rate'] },
    keepPrevious: values['keep-previous'],
    threads: values.threads,
    pollIntervalMs: values['poll-interval'],
    rescanMs: values.rescan,
    limits: {
      connectionsMax: values['conn-limit'],
      idleTimeoutMs: values['idle-timeout'],
      stallTimeoutMs: values['stall-timeout'],
      staleTimeoutMs: values['stale-timeout'],
      bufferedBytesMax: values['buffer-limit'],
      connectionBufferedBytesMax: values['conn-buffer-limit'],
      lineBytesMax: values['line-limit'],
      keysMax: values['keys-limit'],
    },
    access,
    loudRefusals: values['loud-refusals'],
    allowShutdown: values['enable-shutdown'],
  };
}

function fieldOptions(values: ServeValues): FieldOptions | undefined {
  const { 'jsonl-key': key, 'jsonl-value': value, 'jsonl-ignore': ignoreOthers } = values;
  if (key === undefined && value === undefined && !ignoreOthers) return undefined;
  return { ...DEFAULT_FIELDS, ...(key && { key }), ...(value && { value }), ignoreOthers };
}

function namespaceOptions(values: ServeValues): NamespaceOptions | undefined {
  const { D: delimiter } = values;
  if (values.namespaces) return { delimiter: delimiter ?? DEFAULT_DELIMITER };
  if (delimiter !== undefined) throw misuse('-D: it is the delimiter of -namespaces; give both');
  return undefined;
}

/** What a flag is for, when it is not for all protocols. */
const ONLY_FOR: readonly (readonly [
  flag: keyof typeof SERVE_FLAGS,
  protocols: readonly ServeOptions['protocol'][],
  why: string,
])[] = [
  ['auth-file', ['memcached', 'text', 'redis'], "memcached's binary protocol has no login here"],
  ['loud-refusals', ['memcached', 'text', 'binary'], 'Redis has no other refusals'],
  ['enable-shutdown', ['memcached', 'text'], "only memcached's text protocol has the command"],
  ['line-limit', ['memcached', 'text'], "only memcached's text protocol has such lines"],
  ['keys-limit', ['memcached', 'text', 'redis'], 'a binary request has one key'],
];

/** Refuses flags that would do nothing beside others: whoever gives them believes otherwise. */
function checkTogether(values: ServeValues, given: ReadonlySet<string>): void {
  if (given.has('s') && given.has('addr')) {
    throw misuse('-s and -addr both say where to listen: give one of them');
  }
  for (const [flag, protocols, why] of ONLY_FOR) {
    if (!given.has(flag) || protocols.includes(values.proto)) continue;
    throw misuse(`-${flag}: it does nothing with -proto ${values.proto}: ${why}`);
  }
  for (const larger of ['buffer-limit', 'conn-buffer-limit'] as const) {
    if (!given.has('line-limit') || values['line-limit'] <= values[larger]) continue;
    throw misuse(`-line-limit: a line of that length would be more than -${larger} allows`);
  }
}

function accessOptions(values: ServeValues): AccessOptions {
  const certFile = values['tls-cert'];
  const keyFile = values['tls-key'];
  const clientCaFile = values['tls-client-ca'];
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw misuse('-tls-cert and -tls-key belong together: give both or none');
  }
  if (clientCaFile !== undefined && certFile === undefined) {
    throw misuse('-tls-client-ca: it needs -tls-cert and -tls-key');
  }
  const tls = certFile && keyFile ? { certFile, keyFile, clientCaFile } : undefined;
  const { allow = [] } = values;
  return { allow, userFile: values['auth-file'], tls, unixMode: values['unix-mode'] };
}
