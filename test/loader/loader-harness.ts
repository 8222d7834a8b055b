import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSetInfo } from 'goromdb';
import { onTestFinished } from 'vitest';
import { identityOf } from '../../src/common/file-identity.ts';
import { DropFolder } from '../../src/loader/drops/drop-folder.ts';
import type { Receipt } from '../../src/loader/drops/receipt.ts';
import type { Verdict } from '../../src/loader/generations/source.ts';
import { Loader, type LoaderOptions } from '../../src/loader/loader.ts';
import { openTableIn } from '../../src/storage/table/table.ts';
import type { Drop } from '../../src/watcher/drop.ts';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';

/** A data set whose only key is "v". */
export function version(v: number | string): string {
  return `{"v":"${v}"}`;
}

/** The file as the watcher finds it. */
export function dropOf(file: string, sum: string): Drop {
  const identity = identityOf(statSync(file, { bigint: true }));
  return { file, sumFile: `${file}.md5`, md5: sum, identity, force: false, isLinked: false };
}

/** A base folder and a drop folder, and loaders on them, one after the other. */
export class LoaderHarness {
  readonly base = temporaryFolder();
  readonly file = join(temporaryFolder(), 'data.json');
  readonly logger: CollectingLogger = collectingLogger();
  /** What was put into service, by all loaders. */
  readonly served: DataSetInfo[] = [];
  /** The value of the key "v" in what serves. */
  value: string | undefined;
  loader!: Loader;
  source!: DropFolder;
  readonly #options: Partial<LoaderOptions>;

  constructor(options: Partial<LoaderOptions> = {}) {
    this.#options = options;
  }

  /** Starts a loader, as at a start of the server. */
  async start(options: Partial<LoaderOptions> = {}): Promise<boolean> {
    this.value = undefined;
    this.source = new DropFolder({ file: this.file, logger: this.logger });
    this.loader = new Loader({
      ...{ baseDir: this.base, source: this.source },
      ...{ scanner: 'json', gzipped: false, bucket: undefined },
      swap: async (map, info) => {
        const storage = await openTableIn(map.parts, info, () => {});
        const entry = storage.get(Buffer.from('v'), 0, 1);
        this.value = entry?.buffer.toString('utf8', entry.valueStart, entry.valueEnd);
        storage.close();
        this.served.push(info);
      },
      logger: this.logger,
      keepPrevious: 'disk',
      ...this.#options,
      ...options,
    });
    const { loader } = this;
    onTestFinished(() => loader.close());
    await loader.prepare();
    return loader.recover();
  }

  /** Drops this content and has it loaded. */
  load(content: string | Uint8Array, signal = new AbortController().signal): Promise<Verdict> {
    drop(this.file, content);
    return this.loadDrop(dropOf(this.file, md5(content)), signal);
  }

  /** Has what lies there loaded, as if its sum file had this sum. */
  offer(sum: string, more: Partial<Drop> = {}): Promise<Verdict> {
    return this.loadDrop({ ...dropOf(this.file, sum), ...more });
  }

  /** Has a drop loaded, as it was found. */
  loadDrop(found: Drop, signal = new AbortController().signal): Promise<Verdict> {
    return this.loader.load(this.source.offerOf(found), signal);
  }

  /** All files of the slots with what tells one writing of them from another. */
  slotFiles(): Record<string, bigint> {
    const files: Record<string, bigint> = {};
    for (const slot of ['data00', 'data01']) {
      for (const name of readdirSync(join(this.base, slot))) {
        files[`${slot}/${name}`] = statSync(join(this.base, slot, name), { bigint: true }).ctimeNs;
      }
    }
    return files;
  }

  /** Ends the loader, after which all it had to say is written. */
  end(): Promise<void> {
    return this.loader.close();
  }

  get generation(): number | undefined {
    return this.served.at(-1)?.generation;
  }

  /** What stands beside the dropped file. */
  receipt(): Receipt {
    return JSON.parse(readFileSync(`${this.file}.status.json`, 'utf8')) as Receipt;
  }

  /** The record of a slot. */
  record(slot: string): {
    generation: number;
    restores?: number;
    md5: string;
    warnings?: readonly string[];
  } {
    return JSON.parse(readFileSync(join(this.base, slot, 'generation.json'), 'utf8'));
  }
}

/** A loader that serves version 1 as generation 1 and version 2 as generation 2. */
export async function serving(): Promise<LoaderHarness> {
  const harness = new LoaderHarness();
  await harness.start();
  await harness.load(version(1));
  await harness.load(version(2));
  return harness;
}
