/** What an operator should know first. */
import type { DataSetStatus, ServerStatus, Status } from '../../common/status.ts';
import { ageText, bytesText, countOf, countText, sinceText } from '../../page/browser/figures.ts';
import { named, type Sample } from './samples.ts';

/** `ok`: nothing to do; `warn`: somebody should look at it; `bad`: clients do not get what they ask for. */
export type Level = 'ok' | 'warn' | 'bad';

/** Something that is wrong. */
export interface Finding {
  readonly level: Exclude<Level, 'ok'>;
  /** Prefix of the data set that it is about. */
  readonly dataSet?: string | undefined;
  readonly text: string;
}

/** One of the answers of `/readyz`. */
export interface Lack {
  readonly code: string;
  readonly dataSet?: string;
  readonly text: string;
}

/** The answer to: what serves since when, is it fresh, is anything wrong? */
export interface Verdict {
  readonly level: Level;
  readonly title: string;
  readonly detail: string;
}

/** A drop may wait so long for its MD5 before it is something to look at. */
const WAIT_MS_MAX = 60_000;
/** From this share of their limit on, connections are something to look at. */
const CONNECTIONS_SHARE_MAX = 0.8;
/** A certificate that expires sooner is something to look at. */
const CERTIFICATE_MS_MIN = 14 * 86_400_000;

/** The clock of the server, in milliseconds since 1970: that of the browser may be wrong. */
export function nowMsOf({ startedAtMs, uptimeSeconds }: ServerStatus): number {
  return startedAtMs + uptimeSeconds * 1000;
}

/** What a data set is called. */
export function nameOf({ prefix, file }: DataSetStatus): string {
  return prefix === '' ? file.slice(file.lastIndexOf('/') + 1) : prefix;
}

/** How long ago the data of a data set was installed; undefined: it serves none. */
export function ageSecondsOf({ serving }: DataSetStatus, nowMs: number): number | undefined {
  return serving && Math.max(0, (nowMs - Date.parse(serving.installedAt)) / 1000);
}

/**
 * All that is wrong, the worst first. It is what the alert rules of deploy/prometheus ask, and more.
 *
 * @param samples Of `/metrics`.
 */
export function findingsOf(
  { server, dataSets }: Status,
  lacks: readonly Lack[],
  samples: readonly Sample[],
): readonly Finding[] {
  const nowMs = nowMsOf(server);
  const findings = [
    ...dataSets.flatMap((set) => setFindings(set, nowMs)),
    ...lacks.flatMap(({ code, dataSet, text }): Finding[] => {
      return code === 'TOO_OLD' ? [{ level: 'warn', dataSet, text: `Not fresh: ${text}` }] : [];
    }),
    ...diskFindings(dataSets, samples),
    ...serverFindings(server, nowMs),
  ];
  return findings.sort((a, b) => Number(b.level === 'bad') - Number(a.level === 'bad'));
}

/** The worst of some findings. */
export function levelOf(findings: readonly Finding[]): Level {
  if (findings.some(({ level }) => level === 'bad')) return 'bad';
  return findings.length > 0 ? 'warn' : 'ok';
}

export function verdictOf({ server, dataSets }: Status, findings: readonly Finding[]): Verdict {
  const nowMs = nowMsOf(server);
  const level = levelOf(findings);
  const empty = dataSets.filter(({ serving }) => serving === undefined).length;
  const toSee = level === 'ok' ? '' : `, with ${countOf(findings.length, 'thing')} to look at`;
  const detail = freshnessText(dataSets, nowMs);
  if (dataSets.length === 0) return { level: 'bad', title: 'There is no data set', detail };
  if (empty === dataSets.length) return { level: 'bad', title: 'Nothing serves', detail };
  if (empty > 0) {
    const serve = empty === 1 ? 'serves' : 'serve';
    const title = `${empty} of ${countOf(dataSets.length, 'data set')} ${serve} nothing`;
    return { level: 'bad', title, detail };
  }
  if (dataSets.length > 1) {
    return { level, title: `${dataSets.length} data sets serve${toSee}`, detail };
  }
  const [{ serving }] = dataSets;
  return { level, title: `Generation ${serving?.generation} serves${toSee}`, detail };
}

function freshnessText(dataSets: readonly DataSetStatus[], nowMs: number): string {
  const ages = dataSets.flatMap((set) => {
    const seconds = ageSecondsOf(set, nowMs);
    return seconds === undefined ? [] : [{ seconds, set }];
  });
  ages.sort((a, b) => a.seconds - b.seconds);
  const [newest] = ages;
  const oldest = ages.at(-1);
  if (newest === undefined || oldest === undefined) return 'Every key is a miss.';
  const keys = ages.reduce((sum, { set }) => sum + (set.serving?.keys ?? 0), 0);
  if (newest === oldest) {
    const atMs = nowMs - newest.seconds * 1000;
    return `Installed ${sinceText(atMs, nowMs)}; ${countOf(keys, 'key')}.`;
  }
  return `The newest data is ${ageText(newest.seconds)} old, the oldest ${ageText(oldest.seconds)} (${nameOf(oldest.set)}); ${countOf(keys, 'key')}.`;
}

function setFindings(set: DataSetStatus, nowMs: number): Finding[] {
  const { prefix: dataSet, file, serving, loading, fault, lastError, waiting, counters } = set;
  const found: Finding[] = [];
  const warn = (text: string): unknown => found.push({ level: 'warn', dataSet, text });
  if (serving === undefined) {
    const first =
      loading === undefined
        ? `nothing was dropped yet; it waits for ${file} and its MD5`
        : 'the first data is loaded';
    found.push({ level: 'bad', dataSet, text: `Serves nothing: ${fault ?? first}` });
  }
  if (lastError !== undefined) {
    const { text } = lastError;
    warn(text.startsWith('rejected ') ? `R${text.slice(1)}` : `The last load failed: ${text}`);
  }
  if (waiting !== undefined && nowMs - waiting.sinceMs > WAIT_MS_MAX) {
    warn(`A drop waits for ${ageText((nowMs - waiting.sinceMs) / 1000)}: ${waiting.text}`);
  }
  if (serving?.fileFault !== undefined) warn(`The dropped file is damaged: ${serving.fileFault}`);
  for (const text of serving?.warnings ?? []) warn(text);
  if (counters.scrub_table_faults > 0) {
    const times = countOf(counters.scrub_table_faults, 'time');
    warn(`A scrub found the table damaged, ${times}: look at the disk and the memory`);
  }
  return found;
}

/** A load needs room for a file and a table beside those that serve. */
function diskFindings(dataSets: readonly DataSetStatus[], samples: readonly Sample[]): Finding[] {
  const free = new Map(
    named(samples, 'goromdb_data_set_disk_free_bytes').map(({ labels, value }) => [
      labels.data_set,
      value,
    ]),
  );
  return dataSets.flatMap(({ prefix: dataSet, serving }): Finding[] => {
    const bytes = free.get(dataSet) ?? Number.POSITIVE_INFINITY;
    if (serving === undefined || bytes >= 2 * serving.tableBytes) return [];
    const text = `The disk has ${bytesText(bytes)} free: a load of this size may not fit`;
    return [{ level: 'warn', dataSet, text }];
  });
}

function serverFindings(server: ServerStatus, nowMs: number): Finding[] {
  const { connections, connectionsMax, threads, certificateExpiresAt } = server;
  const found: Finding[] = [];
  if (connections > connectionsMax * CONNECTIONS_SHARE_MAX) {
    const text = `${countText(connections)} of at most ${countText(connectionsMax)} connections are open`;
    found.push({ level: 'warn', text });
  }
  const leftMs = Date.parse(certificateExpiresAt ?? '') - nowMs;
  if (leftMs < CERTIFICATE_MS_MIN) {
    const when = leftMs <= 0 ? 'has expired' : `expires in ${ageText(leftMs / 1000)}`;
    found.push({ level: 'warn', text: `The TLS certificate ${when}` });
  }
  const restarts = threads.reduce((sum, one) => sum + one.restarts, 0);
  if (restarts > 0) {
    const text = `Serving threads died and were replaced: ${countOf(restarts, 'time')}`;
    found.push({ level: 'warn', text });
  }
  return found;
}

/** What the files of a data set take on the disk: those that were dropped, and the table. */
export function diskBytesOf({ serving, previous }: DataSetStatus): number {
  return (serving?.bytes ?? 0) + (serving?.tableBytes ?? 0) + (previous?.bytes ?? 0);
}
