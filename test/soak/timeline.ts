/** What a data set answers that is not in service: each key is a miss. */
export const NOTHING = 'nothing';

/** What a reply came from: a version of the soak's own records, or a file without them. */
export type Version = number | 'foreign' | typeof NOTHING;

/** From when to when a dropped file may serve; it goes on while there is no end. */
interface Span {
  /** MD5 of the file. */
  readonly sum: string;
  readonly version: Version;
  readonly fromMs: number;
  toMs: number;
}

/** Which version may be in an answer, at any time so far. */
export class Timeline {
  readonly #spans: Span[] = [];
  /** The newest span that a client was answered from, or that the server said serves. */
  #seen: Span | undefined;

  /** A file is about to be dropped, so it may serve from now on. It must not be the serving one. */
  offered(sum: string, version: Version): void {
    this.#spans.push({
      ...{ sum, version },
      fromMs: performance.now(),
      toMs: Number.POSITIVE_INFINITY,
    });
  }

  /** The server says that this one serves: those before it may not any more. */
  serves(sum: string): void {
    const serving = this.#last(sum);
    if (serving !== undefined) this.#see(serving);
    this.#endBefore(serving);
  }

  /** A file was refused, or replaced before it was taken. */
  withdrawn(sum: string): void {
    const last = this.#last(sum);
    if (last !== undefined) this.#end(last);
  }

  /** The server is gone. What a client has seen, the next one must serve at least. */
  killed(): void {
    this.#endBefore(this.#seen);
  }

  /** Whether an answer from this version is right for a request of that time. */
  mayAnswer(version: Version, askedAtMs: number): boolean {
    const spans = this.#spans.filter((span) => span.version === version && span.toMs >= askedAtMs);
    // Files without the soak's records cannot be distinguished by their answers.
    if (spans.length === 1) this.#see(spans[0]);
    return spans.length > 0;
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

  #last(sum: string): Span | undefined {
    return this.#spans.findLast((span) => span.sum === sum);
  }

  #see(span: Span): void {
    const seenAt = this.#seen === undefined ? -1 : this.#spans.indexOf(this.#seen);
    if (this.#spans.indexOf(span) > seenAt) this.#seen = span;
  }

  #endBefore(span: Span | undefined): void {
    if (span === undefined) return;
    for (const earlier of this.#spans.slice(0, this.#spans.indexOf(span))) this.#end(earlier);
  }

  #end(span: Span): void {
    span.toMs = Math.min(span.toMs, performance.now());
  }
}
