/** The options of a server, whatever it serves, and the rules between them. */
import type { DataSetsOptions, ServerOptions, ServerPlan } from '../../app/options.ts';
import type { HttpOptions } from '../../http/http.ts';
import { checkAccessFits, type TlsFiles } from '../../server/access.ts';
import { nodeAt } from '../../shards/place.ts';
import { DEFAULT_DELIMITER } from '../../storage/scanners/namespaces.ts';
import { ACCESS, HTTP, LISTENING } from './clients.ts';
import { LOGS } from './logs.ts';
import {
  libraryOptions,
  misuse,
  type Option,
  type OptionsFor,
  optionGroup,
  type ValuesOf,
} from './option.ts';
import { RESOURCES } from './resources.ts';
import { placeAmong, SHARDS } from './shards.ts';
import { parseName } from './values.ts';

const DATA_SETS = optionGroup('Data sets', {
  delimiter: {
    placeholder: 'DELIMITER',
    help: 'delimiter between the prefix of a data set and the key, 1 to 16 bytes',
    parse: parseName,
    fallbackNote: DEFAULT_DELIMITER,
    only: 'file',
    sets: 'delimiter',
  },
} satisfies OptionsFor<DataSetsOptions>);

export const SERVER_OPTIONS = {
  ...{ ...LISTENING, ...ACCESS, ...RESOURCES, ...HTTP, ...LOGS },
  ...{ ...SHARDS, ...DATA_SETS },
};

/**
 * The server that values ask for.
 *
 * @param given The names of the options that were not left to their defaults.
 * @throws GoromdbError OPTION_INVALID when they do not go together.
 */
export function serverOf(
  values: ValuesOf<typeof SERVER_OPTIONS>,
  given: ReadonlySet<string>,
): ServerOptions & Pick<DataSetsOptions, 'delimiter'> & Pick<ServerPlan, 'log'> {
  checkTogether(values, given);
  const { access = {}, http, ...others } = libraryOptions(SERVER_OPTIONS, values);
  const { tls, ...clients } = access;
  const isPlaced = given.has('addr') || given.has('s');
  const place = placeAmong(values, isPlaced ? others.address : undefined);
  const { 'log-format': format, 'log-level': level } = values;
  const options = {
    ...others,
    ...(place && { place }),
    address: place === undefined || isPlaced ? others.address : nodeAt(place).address,
    log: { format, level },
    ...(http && { http: wholeHttp(http) }),
    access: { ...clients, ...(tls && { tls: wholeTls(tls) }) },
  };
  checkAccessFits(options.access, options.address);
  return options;
}

/** Refuses options that have no effect beside others: whoever gave them expects one. */
function checkTogether(values: ValuesOf<typeof SERVER_OPTIONS>, given: ReadonlySet<string>): void {
  if (given.has('s') && given.has('addr')) {
    throw misuse('-s and -addr both say where to listen: give one of them');
  }
  for (const [name, { protocols }] of Object.entries<Option>(SERVER_OPTIONS)) {
    if (protocols === undefined || !given.has(name)) continue;
    if (protocols.names.includes(values.proto)) continue;
    throw misuse(`-${name}: it does nothing with -proto ${values.proto}: ${protocols.because}`);
  }
  for (const larger of ['buffer-limit', 'conn-buffer-limit'] as const) {
    if (!given.has('line-limit') || values['line-limit'] <= values[larger]) continue;
    throw misuse(`-line-limit: a line of that length would be more than -${larger} allows`);
  }
}

function wholeHttp({ address, ...others }: Partial<HttpOptions>): HttpOptions {
  if (address !== undefined) return { address, ...others };
  throw misuse('-http-host, -http-prefixes and -http-token-file belong to -http: give it too');
}

function wholeTls({ certFile, keyFile, clientCaFile }: Partial<TlsFiles>): TlsFiles {
  if (certFile === undefined && keyFile === undefined) {
    throw misuse('-tls-client-ca: it needs -tls-cert and -tls-key');
  }
  if (certFile === undefined || keyFile === undefined) {
    throw misuse('-tls-cert and -tls-key belong together: give both or none');
  }
  return { certFile, keyFile, clientCaFile };
}
