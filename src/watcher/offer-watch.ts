import { type FileIdentity, sameIdentity, see } from '../common/file-identity.ts';

/** Least time between two looks: each write to a file raises an event. */
const LOOK_GAP_MS = 50;

/** The file that {@link OfferWatch} watches. */
interface Offered {
  readonly file: string;
  readonly identity: FileIdentity;
}

/**
 * Aborts the load of a file as soon as another file is in its place, since the load could not be
 * served any more. A file that is gone aborts nothing: the loader moves the files that it takes.
 */
export class OfferWatch {
  readonly #offered: Offered;
  readonly #outer: AbortSignal;
  readonly #abort = new AbortController();
  readonly #rescan: NodeJS.Timeout;
  #gap: NodeJS.Timeout | undefined;
  #isSuperseded = false;
  readonly #stop = (): void => this.#abort.abort();

  /**
   * @param outer Aborts the load as well.
   * @param rescanMs How often to look without an event.
   */
  constructor(offered: Offered, outer: AbortSignal, rescanMs: number) {
    this.#offered = offered;
    this.#outer = outer;
    outer.addEventListener('abort', this.#stop);
    this.#rescan = setInterval(() => this.look(), rescanMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isSuperseded(): boolean {
    return this.#isSuperseded;
  }

  /** Something may have happened to the file. */
  look(): void {
    this.#gap ??= setTimeout(() => {
      this.#gap = undefined;
      void this.#compare();
    }, LOOK_GAP_MS);
  }

  end(): void {
    clearInterval(this.#rescan);
    clearTimeout(this.#gap);
    this.#outer.removeEventListener('abort', this.#stop);
  }

  async #compare(): Promise<void> {
    const sight = await see(this.#offered.file);
    if (sight.kind !== 'file' || sameIdentity(sight.identity, this.#offered.identity)) return;
    this.#isSuperseded = true;
    this.#abort.abort();
  }
}
