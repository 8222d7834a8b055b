/** An address is reported this often at most, for each kind of report. */
const QUIET_MS = 60_000;

/** Addresses that are remembered; when there are more, the oldest may be reported again too soon. */
const ADDRESSES_MAX = 10_000;

/** What an owner should know of a client. */
export interface ClientReport {
  readonly kind: 'refused write' | 'failed login';
  /** Address without a port: each connection of a client has another one. */
  readonly client: string;
  /** Of a write: its command. Of a login nothing is reported, not even the name. */
  readonly command?: string;
}

/** Tells an owner of clients without flooding the log. */
export class ClientLog {
  readonly #tell: (report: ClientReport) => void;
  /** When each kind and address was reported, the oldest first. */
  readonly #toldAtMs = new Map<string, number>();

  constructor(tell: (report: ClientReport) => void) {
    this.#tell = tell;
  }

  /** @param nowMs On any clock that goes on. */
  report(report: ClientReport, nowMs: number): void {
    const subject = `${report.kind} ${report.client}`;
    const toldAtMs = this.#toldAtMs.get(subject);
    if (toldAtMs !== undefined && nowMs - toldAtMs < QUIET_MS) return;
    this.#toldAtMs.delete(subject);
    this.#toldAtMs.set(subject, nowMs);
    if (this.#toldAtMs.size > ADDRESSES_MAX) {
      const [oldest] = this.#toldAtMs.keys();
      this.#toldAtMs.delete(oldest);
    }
    this.#tell(report);
  }
}

/** A report as it is logged. */
export function describeReport({ kind, client, command }: ClientReport): string {
  const others = 'from there are counted in stats and not logged for a minute';
  return kind === 'failed login'
    ? `a login failed from ${client}: no such name and password; others ${others}`
    : `refused a write (${command}) from ${client}: this server is read-only; other writes ${others}`;
}
