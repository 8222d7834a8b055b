import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type ChokidarOptions, FSWatcher } from 'chokidar';

/**
 * A watcher of a few names in a folder. At each event of a folder chokidar lists it and looks at all that
 * it finds: with 100,000 other files there, that kept a processor busy for seconds. Here it looks at
 * the names that matter and at nothing else. A chokidar that lists folders by another method would be
 * slow again, not wrong.
 */
export class FewNamesWatcher extends FSWatcher {
  readonly #names: ReadonlySet<string>;

  constructor(names: ReadonlySet<string>, options: ChokidarOptions) {
    super(options);
    this.#names = names;
  }

  override _readdirp(root: string): ReturnType<FSWatcher['_readdirp']> {
    if (this.closed) return undefined;
    const stream = Readable.from(entriesOf(root, this.#names)) as NonNullable<
      ReturnType<FSWatcher['_readdirp']>
    >;
    this._streams.add(stream);
    stream.once('close', () => this._streams.delete(stream));
    return stream;
  }
}

/** What of these names there is in a folder, as a listing would tell it. */
async function* entriesOf(folder: string, names: ReadonlySet<string>): AsyncGenerator<unknown> {
  for (const name of names) {
    const fullPath = join(folder, name);
    const stats = await lstat(fullPath).catch(() => undefined);
    if (stats !== undefined) yield { path: name, fullPath, basename: name, stats };
  }
}
