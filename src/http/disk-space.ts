import { statfs } from 'node:fs/promises';
import type { DataSetStatus } from '../common/status.ts';
import type { Sample } from './prometheus.ts';

/** How long a response waits for a disk; one that does not answer must not keep the others from it. */
const WAIT_MS_MAX = 500;

interface Space {
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** Looks how full the disks of base folders are. */
export class DiskSpace {
  /** One look at a time, one folder after the other: a dead disk blocks one thread of Node's pool. */
  #looking: Promise<void> | undefined;
  readonly #known = new Map<string, Space>();

  /** What is known in a moment: of a disk that does not answer, the figures of before. */
  async samples(sets: readonly DataSetStatus[]): Promise<readonly Sample[]> {
    this.#looking ??= this.#look(sets).finally(() => {
      this.#looking = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, WAIT_MS_MAX);
    });
    await Promise.race([isLate, this.#looking]);
    clearTimeout(timer);
    const gauge = (name: string, help: string, of: (space: Space) => number): readonly Sample[] =>
      sets.flatMap(({ prefix, basedir }) => {
        const space = this.#known.get(basedir);
        const labels = { data_set: prefix };
        return space === undefined ? [] : [{ kind: 'gauge', name, help, labels, value: of(space) }];
      });
    return [
      ...gauge(
        'goromdb_data_set_disk_free_bytes',
        'Bytes that are free for the server on the disk of the base folder.',
        ({ freeBytes }) => freeBytes,
      ),
      ...gauge(
        'goromdb_data_set_disk_size_bytes',
        'Size of the disk of the base folder.',
        ({ sizeBytes }) => sizeBytes,
      ),
    ];
  }

  async #look(sets: readonly DataSetStatus[]): Promise<void> {
    const folders = new Set(sets.map(({ basedir }) => basedir));
    for (const folder of new Set([...this.#known.keys(), ...folders])) {
      const space = folders.has(folder) ? await statfs(folder).catch(() => undefined) : undefined;
      if (space === undefined) {
        this.#known.delete(folder);
        continue;
      }
      const { bavail, blocks, bsize } = space;
      this.#known.set(folder, { freeBytes: bavail * bsize, sizeBytes: blocks * bsize });
    }
  }
}
