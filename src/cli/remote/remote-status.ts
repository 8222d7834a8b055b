import type { Address } from '../../common/address.ts';
import { GoromdbError } from '../../common/errors.ts';
import type { DataSetStatus, ServerStatus, Status } from '../../common/status.ts';
import { type HttpPlace, httpGet, nameOf } from './http-get.ts';
import { type Asking, askStats } from './memcached-stats.ts';

/** A data set, as far as a server elsewhere shows it. */
export interface RemoteSet {
  readonly prefix: string;
  /** Undefined: nothing serves. */
  readonly serving:
    | {
        readonly generation: number;
        readonly keys: number;
        readonly md5: string;
        readonly format: string;
        readonly installedAtMs: number;
      }
    | undefined;
  /** What is wrong, or waits; each is a line. */
  readonly notes: readonly string[];
  readonly isDamaged: boolean;
}

/** What a server elsewhere says of itself. */
export interface RemoteStatus {
  /** Undefined: it told memcached's, as it tells memcached clients. */
  readonly version: string | undefined;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly connections: number;
  readonly sets: readonly RemoteSet[];
  /** All that it said, for programs. */
  readonly raw: unknown;
}

/**
 * Asks `/api/status` of a server's -http.
 *
 * @throws GoromdbError SERVER_FAILED.
 */
export async function readHttpStatus(place: HttpPlace): Promise<RemoteStatus> {
  const { status, text } = await httpGet(place, '/api/status');
  if (status !== 200) {
    throw failed(`${nameOf(place)} answered ${status}: ${text.trim().slice(0, 500)}`);
  }
  const raw = parse(text);
  if (!isStatus(raw)) {
    throw failed(`${nameOf(place)}: expected the status of a goromdb, found something else`);
  }
  const { version, pid, uptimeSeconds, connections } = raw.server;
  return { version, pid, uptimeSeconds, connections, sets: raw.dataSets.map(setOf), raw };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isStatus(value: unknown): value is Status {
  if (typeof value !== 'object' || value === null) return false;
  const { server, dataSets } = value as { readonly server?: unknown; readonly dataSets?: unknown };
  return isServer(server) && Array.isArray(dataSets) && dataSets.every(isSet);
}

function isServer(value: unknown): value is ServerStatus {
  if (typeof value !== 'object' || value === null) return false;
  const { version, pid, uptimeSeconds, connections } = value as ServerStatus;
  const numbers = [pid, uptimeSeconds, connections];
  return typeof version === 'string' && numbers.every((one) => typeof one === 'number');
}

function isSet(value: unknown): value is DataSetStatus {
  if (typeof value !== 'object' || value === null) return false;
  const { prefix, serving } = value as DataSetStatus;
  if (typeof prefix !== 'string' || serving === undefined) return typeof prefix === 'string';
  const { generation, keys, md5, format, installedAt } = serving;
  const texts = [md5, format, installedAt].every((one) => typeof one === 'string');
  return texts && [generation, keys].every((one) => typeof one === 'number');
}

function setOf(set: DataSetStatus): RemoteSet {
  const { prefix, serving, fault, waiting, lastError, loading } = set;
  const fileFault = serving?.fileFault;
  const notes = [
    ...(fault === undefined ? [] : [`fault: ${fault}`]),
    ...(fileFault === undefined ? [] : [`damage: ${fileFault}`]),
    ...(lastError === undefined ? [] : [`last error: ${lastError.code}: ${lastError.text}`]),
    ...(waiting === undefined ? [] : [`a drop waits: ${waiting.code}: ${waiting.text}`]),
    ...(loading === undefined ? [] : [`loads ${loading.path}: ${loading.stage}`]),
  ];
  const live = serving && { ...serving, installedAtMs: Date.parse(serving.installedAt) };
  return { prefix, serving: live, notes, isDamaged: fileFault !== undefined };
}

/**
 * Asks `stats` and `stats dataset`, as memcached clients do: it needs no -http.
 *
 * @throws GoromdbError SERVER_FAILED.
 */
export async function readStatsStatus(address: Address, asking?: Asking): Promise<RemoteStatus> {
  const { server, data } = await askStats(address, asking);
  const sets = new Map<string, Map<string, string>>();
  // With several data sets, the lines without a prefix are about all of them together.
  const areSeveral = [...data.keys()].some((name) => name.startsWith('dataset:'));
  for (const [name, value] of data) {
    const [, prefix = '', field = name] = /^dataset:(.*):(\w+)$/.exec(name) ?? [];
    if (areSeveral && field === name) continue;
    const set = sets.get(prefix) ?? new Map<string, string>();
    sets.set(prefix, set.set(field, value));
  }
  return {
    version: undefined,
    pid: numberOf(server, 'pid'),
    uptimeSeconds: numberOf(server, 'uptime'),
    connections: numberOf(server, 'curr_connections'),
    sets: [...sets].map(([prefix, fields]) => statsSetOf(prefix, fields)),
    raw: { stats: Object.fromEntries(server), dataset: Object.fromEntries(data) },
  };
}

function statsSetOf(prefix: string, fields: ReadonlyMap<string, string>): RemoteSet {
  const generation = numberOf(fields, 'generation');
  const noteOf = (what: string, name: string): readonly string[] => {
    const code = fields.get(name) ?? 'none';
    return code === 'none' ? [] : [`${what}: ${code}: ${fields.get(`${name}_text`) ?? ''}`];
  };
  return {
    prefix,
    serving:
      generation === 0
        ? undefined
        : {
            ...{ generation, keys: numberOf(fields, 'keys'), md5: fields.get('md5') ?? '' },
            format: fields.get('format') ?? '',
            installedAtMs: numberOf(fields, 'installed_at') * 1000,
          },
    notes: [...noteOf('last error', 'last_load_error'), ...noteOf('a drop waits', 'drop_waiting')],
    isDamaged: false,
  };
}

function numberOf(fields: ReadonlyMap<string, string>, name: string): number {
  const number = Number(fields.get(name));
  return Number.isFinite(number) ? number : 0;
}

function failed(message: string): GoromdbError {
  return new GoromdbError('SERVER_FAILED', message);
}
