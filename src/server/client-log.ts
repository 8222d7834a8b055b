import type { Logger } from '../common/log.ts';

/** An address is reported this often at most, for each kind of report. */
const QUIET_MS = 60_000;

/** Addresses that are remembered; with more, the oldest may be reported again too soon. */
const ADDRESSES_MAX = 10_000;

/** What an owner should know of a client. */
export interface ClientReport {
  readonly kind: 'refused write' | 'failed login' | 'refused node' | 'other shards';
  /** Address without a port: each connection of a client has another one. */
  readonly client: string;
  /** Of a write: its command. Nothing of a login is reported, not even the name. */
  readonly command?: string;
  /** Of a server that asks for keys. */
  readonly why?: string;
}

const EVENTS = {
  'refused write': 'write-refused',
  'failed login': 'login-failed',
  'refused node': 'node-refused',
  'other shards': 'node-differs',
} as const;

/** Reports clients to the owner without flooding the log. */
export class ClientLog {
  readonly #report: (report: ClientReport) => void;
  /** When each kind and address was reported, the oldest first. */
  readonly #reportedAtMs = new Map<string, number>();

  constructor(report: (report: ClientReport) => void) {
    this.#report = report;
  }

  /** @param nowMs On any clock that goes on. */
  report(report: ClientReport, nowMs: number): void {
    const subject = `${report.kind} ${report.client}`;
    const reportedAtMs = this.#reportedAtMs.get(subject);
    if (reportedAtMs !== undefined && nowMs - reportedAtMs < QUIET_MS) return;
    this.#reportedAtMs.delete(subject);
    this.#reportedAtMs.set(subject, nowMs);
    if (this.#reportedAtMs.size > ADDRESSES_MAX) {
      const [oldest] = this.#reportedAtMs.keys();
      this.#reportedAtMs.delete(oldest);
    }
    this.#report(report);
  }
}

/** Logs a report. */
export function logReport(logger: Logger, report: ClientReport): void {
  const { kind, client, command } = report;
  logger.warn(describeReport(report), { event: EVENTS[kind], client, command });
}

export function describeReport({ kind, client, command, why }: ClientReport): string {
  if (kind === 'refused node') {
    return `a server that asks for keys is refused: ${why}; it is ${client}, and others from there are not logged for a minute`;
  }
  if (kind === 'other shards') return `a server at ${client}, which asks for keys, ${why}`;
  const others = 'from there are counted in stats and not logged for a minute';
  return kind === 'failed login'
    ? `a login failed from ${client}: no such name and password; others ${others}`
    : `refused a write (${command}) from ${client}: this server is read-only; other writes ${others}`;
}
