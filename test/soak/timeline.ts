/** What a reply came from: a version of the soak's own records, or a file without them. */
export type Version = number | 'foreign';

/** From when to when a version may serve; it goes on while there is no end. */
interface Span {
  readonly version: Version;
  readonly fromMs: number;
  toMs: number;
}

/** Which version may be in an answer, at any time so far. */
export class Timeline {
  readonly #spans: Span[] = [];
  /** The newest version that a client was answered from. */
  #seen: Version | undefined;

  /** A file is about to be dropped, so it may serve from now on. */
  offered(version: Version): void {
    this.#spans.push({ version, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY });
  }

  /** The server says that this one serves: those before it may not any more. */
  serves(version: Version): void {
    const last = this.#spans.findLastIndex((span) => span.version === version);
    for (const span of this.#spans.slice(0, Math.max(0, last))) this.#end(span);
    this.#seen = version;
  }

  /** A file was refused, or replaced before it was taken. */
  withdrawn(version: Version): void {
    const last = this.#spans.findLast((span) => span.version === version);
    if (last !== undefined) this.#end(last);
  }

  /** The server is gone. What a client has seen, the next one must serve at least. */
  killed(): void {
    if (this.#seen !== undefined) this.serves(this.#seen);
  }

  /** Whether an answer from this version is right for a request of that time. */
  mayAnswer(version: Version, askedAtMs: number): boolean {
    const isRight = this.#spans.some((span) => span.version === version && span.toMs >= askedAtMs);
    const last = this.#spans.at(-1);
    if (isRight && last?.version === version) this.#seen = version;
    return isRight;
  }

  /** For a message. */
  describe(): string {
    const now = performance.now();
    return this.#spans
      .slice(-4)
      .map(({ version, fromMs, toMs }) => {
        const end = toMs === Number.POSITIVE_INFINITY ? 'now' : `${(now - toMs).toFixed(0)} ms ago`;
        return `${version}: from ${(now - fromMs).toFixed(0)} ms ago to ${end}`;
      })
      .join(', ');
  }

  #end(span: Span): void {
    span.toMs = Math.min(span.toMs, performance.now());
  }
}
