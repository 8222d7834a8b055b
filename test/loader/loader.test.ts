import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataSetInfo } from 'goromdb';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { DropFolder } from '../../src/loader/drops/drop-folder.ts';
import type { Offer, Verdict } from '../../src/loader/generations/source.ts';
import { Loader, type LoaderOptions } from '../../src/loader/loader.ts';
import { openTableIn } from '../../src/storage/table/table.ts';
import { isForced } from '../../src/watcher/drop-marks.ts';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { dropOf } from './loader-harness.ts';

let base: string;
let file: string;
/** Where the offers come from: its receipts are written when it is closed. */
let drops: DropFolder;
beforeEach(() => {
  base = temporaryFolder();
  file = join(temporaryFolder(), 'data.json');
  drops = new DropFolder({ file, logger: collectingLogger() });
  onTestFinished(() => drops.close());
});

const NEVER = new AbortController().signal;

/** A loader with what it put into service. */
interface Subject {
  readonly loader: Loader;
  readonly logger: CollectingLogger;
  readonly served: DataSetInfo[];
  /** The value of the key "v" in what serves. */
  value(): string | undefined;
  /** Drops this content and has it loaded. */
  load(content: string | Uint8Array, sum?: string): Promise<Verdict>;
  recover(): Promise<boolean>;
}

function startLoader(options: Partial<LoaderOptions> = {}): Subject {
  const logger = collectingLogger();
  const served: DataSetInfo[] = [];
  let value: string | undefined;
  const swap: LoaderOptions['swap'] = async ({ parts }, info) => {
    const storage = await openTableIn(parts, info, () => {});
    const entry = storage.get(Buffer.from('v'), 0, 1);
    value = entry?.buffer.toString('utf8', entry.valueStart, entry.valueEnd);
    storage.close();
    served.push(info);
  };
  const defaults = { scanner: 'json', gzipped: false, bucket: undefined };
  const source = new DropFolder({ file, logger });
  const loader = new Loader({ baseDir: base, source, ...defaults, swap, logger, ...options });
  onTestFinished(() => loader.close());
  return {
    loader,
    logger,
    served,
    value: () => value,
    load: async (content, sum) => {
      drop(file, content);
      const force = await isForced(file, md5(content));
      return loader.load({ ...offer(sum ?? md5(content)), force }, NEVER);
    },
    recover: async () => {
      await loader.prepare();
      return loader.recover();
    },
  };
}

/** The file as the drop folder offers it. */
function offer(sum: string, logger?: CollectingLogger): Offer {
  const folder = logger === undefined ? drops : new DropFolder({ file, logger });
  return folder.offerOf(dropOf(file, sum));
}

function version(v: number): string {
  return `{"v":"${v}"}`;
}

function recordedIn(slot: string): { generation: number } {
  return JSON.parse(readFileSync(join(base, slot, 'generation.json'), 'utf8'));
}

describe('a load', () => {
  test('takes a good file out of the drop folder and into service', async () => {
    const subject = startLoader();
    await subject.recover();
    expect(await subject.load(version(1))).toEqual({ kind: 'taken' });
    expect(subject.value()).toBe('1');
    await subject.loader.close();
    await drops.close();
    expect(readdirSync(join(file, '..'))).toEqual(['data.json.status.json']);
    expect(readFileSync(join(base, 'data00', 'data.db'), 'utf8')).toBe(version(1));
    expect(subject.logger.lines).toEqual([
      expect.stringMatching(
        /^info generation 1 serves from slot data00: 1 key, 9 B of json, md5 [0-9a-f]{32}; verify \d+\.\d{3} s, scan \S+ s, index \S+ s, move \S+ s, swap \S+ s$/,
      ),
    ]);
  });

  test('alternates between the slots, and generation numbers grow by one', async () => {
    const subject = startLoader();
    await subject.recover();
    for (let v = 1; v <= 4; v++) await subject.load(version(v));
    expect(subject.served.map((info) => info.generation)).toEqual([1, 2, 3, 4]);
    expect(recordedIn('data00').generation).toBe(3);
    expect(recordedIn('data01').generation).toBe(4);
  });

  test('refuses a file that no disk holds before it reads it', async () => {
    const subject = startLoader();
    await subject.recover();
    writeFileSync(file, '');
    truncateSync(file, 15 * 1024 ** 4);
    expect(await subject.loader.load(offer('0'.repeat(32)), NEVER)).toEqual({ kind: 'rejected' });
    expect(subject.logger.lines[0]).toMatch(
      /is too large: expected at most \d+ bytes, the size of the file system/,
    );
  });

  test('reports another MD5, with the one that the file has, and leaves the drop', async () => {
    const subject = startLoader();
    await subject.recover();
    const verdict = await subject.load(version(1), '0'.repeat(32));
    expect(verdict).toEqual({ kind: 'mismatch', found: md5(version(1)) });
    expect(existsSync(file)).toBe(true);
    expect(subject.logger.lines).toEqual([]);
  });

  test('reports a change when the file is gone or replaced before it is opened', async () => {
    const subject = startLoader();
    await subject.recover();
    drop(file, version(1));
    const offered = offer(md5(version(1)));
    renameSync(file, `${file}.gone`);
    expect(await subject.loader.load(offered, NEVER)).toEqual({ kind: 'changed' });
    expect(subject.served).toEqual([]);
  });

  test.each([
    ['scanned', 'sink.add(key, 0, 1, key, 0, 1, 0);'],
    ['refused', "throw Object.assign(new GoromdbError('DATA_CORRUPT', 'it is bad'));"],
  ])('tells of a change when the file is replaced while it is %s', async (_, how) => {
    const scanner = moduleFile(`
      import { renameSync, writeFileSync } from 'node:fs';
      import { GoromdbError } from '${import.meta.resolve('goromdb')}';
      export default {
        format: 'test',
        async scan({ path }, options, sink) {
          writeFileSync(path + '.part', 'new');
          renameSync(path + '.part', path);
          const key = Buffer.from('v');
          ${how}
        },
      };`);
    const subject = startLoader({ scanner });
    await subject.recover();
    expect(await subject.load('old')).toEqual({ kind: 'changed' });
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(subject.logger.lines).toEqual([]);
  });

  test('quarantines a bad file with its sum file, says why, and keeps serving what it served', async () => {
    const subject = startLoader();
    await subject.recover();
    await subject.load(version(1));
    expect(await subject.load('{"v":1}')).toEqual({ kind: 'rejected' });
    expect(subject.value()).toBe('1');
    await subject.loader.close();
    await drops.close();
    expect(readdirSync(join(file, '..'))).toEqual([
      'data.json.rejected',
      'data.json.rejected.md5',
      'data.json.status.json',
    ]);
    expect(readFileSync(`${file}.rejected`, 'utf8')).toBe('{"v":1}');
    expect(subject.logger.lines.at(-1)).toBe(
      `error rejected ${file}: expected a string at byte 5, key "v", found a number ` +
        `(FORMAT_UNSUPPORTED); quarantined as ${file}.rejected; ` +
        `generation 1 from ${join(base, 'data00', 'data.db')} keeps serving`,
    );
    await subject.load(version(2));
    expect(subject.served.map((info) => info.generation)).toEqual([1, 2]);
  });

  test('says when a bad file cannot be quarantined, and does not ask for it again', async () => {
    const subject = startLoader();
    await subject.recover();
    mkdirSync(`${file}.rejected`);
    expect(await subject.load('[]')).toEqual({ kind: 'rejected' });
    expect(subject.logger.lines).toEqual([
      expect.stringMatching(/; it could not be quarantined \(.*\); no data is served yet$/),
    ]);
    expect(existsSync(file)).toBe(true);
  });

  test('fails when the slot cannot take the file, which is loaded later', async () => {
    const subject = startLoader();
    await subject.recover();
    await subject.load(version(1));
    mkdirSync(join(base, 'data01', 'data.db'));
    await expect(subject.load(version(2))).rejects.toThrow(join(base, 'data01', 'data.db'));
    expect(subject.value()).toBe('1');
    renameSync(join(base, 'data01', 'data.db'), join(base, 'elsewhere'));
    expect(await subject.loader.load(offer(md5(version(2))), NEVER)).toEqual({ kind: 'taken' });
    expect(subject.served.map((info) => info.generation)).toEqual([1, 2]);
  });

  test('fails when the swap does, and the next start serves what was installed', async () => {
    const first = startLoader({ swap: () => Promise.reject(new Error('no thread is left')) });
    await first.recover();
    await expect(first.load(version(1))).rejects.toThrow('no thread is left');
    const second = startLoader();
    expect(await second.recover()).toBe(true);
    expect(second.value()).toBe('1');
  });

  test('ends at once when it is aborted', async () => {
    const scanner = moduleFile(
      "export default { format: 'slow', scan: () => new Promise(() => {}) };",
    );
    const abort = new AbortController();
    let isLoading = false;
    const onLoad: LoaderOptions['onLoad'] = (load) => {
      isLoading = load !== undefined;
    };
    const { loader, recover, logger } = startLoader({ scanner, onLoad });
    await recover();
    drop(file, 'x');
    const loading = loader.load(offer(md5('x')), abort.signal);
    await expect.poll(() => isLoading).toBe(true);
    abort.abort();
    await expect(loading).rejects.toMatchObject({ code: 'LOADER_FAILED' });
    expect(isLoading).toBe(false);
    expect(logger.lines).toEqual([]);
  });
});

describe("a user's scanner", () => {
  const LINES = `
    import { readSync } from 'node:fs';
    export default {
      format: 'lines',
      async scan({ fd, size }, options, sink) {
        const bytes = Buffer.alloc(size);
        readSync(fd, bytes, 0, size, 0);
        for (const line of bytes.toString().split('\\n')) {
          const [key, value] = line.split('=').map((text) => Buffer.from(text));
          sink.add(key, 0, key.length, value, 0, value.length, 7);
        }
      },
    };`;

  test('is loaded by its URL', async () => {
    const subject = startLoader({ scanner: moduleFile(LINES) });
    await subject.recover();
    expect(await subject.load('v=one\nw=two')).toEqual({ kind: 'taken' });
    expect(subject.value()).toBe('one');
    expect(subject.served[0]).toMatchObject({ format: 'lines', keys: 2 });
  });

  test.each([
    ['is not there', 'file:///no/such/module.mjs', /storage file:.*cannot be used: Cannot find/],
    ['throws', "throw new Error('no licence')", /cannot be used: no licence/],
    ['has no default', 'export const a = 1;', /storage ".*" is not known/],
  ])('that %s fails the load and leaves the drop', async (_, scanner, message) => {
    const subject = startLoader({
      scanner: scanner.startsWith('file') ? scanner : moduleFile(scanner),
    });
    await subject.recover();
    await expect(subject.load(version(1))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(message),
    });
    expect(existsSync(file)).toBe(true);
  });

  test('that needs all memory there is has its file rejected, and the process lives', async () => {
    const scanner = moduleFile(`
      export default {
        format: 'greedy',
        async scan() {
          const all = [];
          for (;;) all.push(new Array(1e6).fill(all.length));
        },
      };`);
    const subject = startLoader({ scanner });
    await subject.recover();
    expect(await subject.load('x')).toEqual({ kind: 'rejected' });
    expect(subject.logger.lines[0]).toMatch(
      /expected to scan it in 512 MiB of heap, found that it needs more/,
    );
  });

  test('that throws something of its own fails the load, with what it threw', async () => {
    const subject = startLoader({
      scanner: moduleFile("export default { format: 'odd', scan() { throw new Error('oops'); } };"),
    });
    await subject.recover();
    await expect(subject.load('x')).rejects.toMatchObject({
      code: 'SCANNER_FAILED',
      message: `the scanner for odd failed on ${file}: oops`,
    });
    expect(existsSync(file)).toBe(true);
  });

  test('that does not come to an end has its file rejected, and the next one is loaded', async () => {
    const scanner = moduleFile(`
      export default {
        format: 'endless',
        async scan({ size }, options, sink) {
          while (size === 1);
          sink.add(Buffer.from('v'), 0, 1, Buffer.from('1'), 0, 1, 0);
        },
      };`);
    const subject = startLoader({ scanner, loadMsMin: 1_000 });
    await subject.recover();
    expect(await subject.load('x')).toEqual({ kind: 'rejected' });
    expect(subject.logger.lines[0]).toMatch(
      /expected to load it within 2 s, found that it takes longer \(LIMIT_EXCEEDED\)/,
    );
    // It may take longer by its size, as a busy machine may need.
    expect(await subject.load('y'.repeat(60_000_000))).toEqual({ kind: 'taken' });
  });

  test('that ends its process fails the load', async () => {
    const subject = startLoader({
      scanner: moduleFile("export default { format: 'x', scan: () => process.exit(0) };"),
    });
    await subject.recover();
    await expect(subject.load('x')).rejects.toThrow('its process was ended by exit code 0');
  });
});

describe('recovering', () => {
  /** Generations 1 and 2, in data00 and data01. */
  async function filled(): Promise<void> {
    const subject = startLoader();
    await subject.recover();
    await subject.load(version(1));
    await subject.load(version(2));
  }

  test('serves nothing when there is nothing', async () => {
    const subject = startLoader();
    expect(await subject.recover()).toBe(false);
    expect(subject.served).toEqual([]);
    expect(subject.logger.lines).toEqual([]);
  });

  test('serves the newest generation under its number, and numbers go on from it', async () => {
    await filled();
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.value()).toBe('2');
    await subject.load(version(3));
    expect(subject.served.map((info) => info.generation)).toEqual([2, 3]);
    expect(recordedIn('data00').generation).toBe(3);
  });

  test('leaves the sum file of a new drop with the content that is served already', async () => {
    await filled();
    drop(file, version(2));
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(existsSync(`${file}.md5`)).toBe(true);
  });

  test('does not overwrite the newest of two generations that the flags do not fit', async () => {
    await filled();
    const wrong = startLoader({ scanner: 'lmdb' });
    expect(await wrong.recover()).toBe(false);
    const lmdb = readFileSync(new URL('../../fixtures/lmdb/v1-plain.mdb', import.meta.url));
    expect(await wrong.load(lmdb)).toEqual({ kind: 'taken' });
    expect(readFileSync(join(base, 'data01', 'data.db'), 'utf8')).toBe(version(2));
    expect(readFileSync(join(base, 'data00', 'data.db')).equals(lmdb)).toBe(true);
  });

  test('serves the other slot when the newest is damaged, naming both sums', async () => {
    await filled();
    const damaged = join(base, 'data01', 'data.db');
    writeFileSync(damaged, '{"v":"X"}');
    rmSync(join(base, 'data01', 'table.mdb'));
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.value()).toBe('1');
    expect(subject.logger.lines[0]).toBe(
      `warn slot data01 (generation 2) is not used: ${damaged} is damaged: ` +
        `expected the MD5 ${md5(version(2))} of the slot's sum file, found ${md5('{"v":"X"}')} (SUM_MISMATCH)`,
    );
    // A number that clients may have seen is not given to other data.
    await subject.load(version(3));
    expect(subject.served.map((info) => info.generation)).toEqual([1, 3]);
    expect(recordedIn('data01').generation).toBe(3);
  });

  test.each([
    ['is a folder', (path: string) => mkdirSync(path)],
    ['is not the format that is expected', (path: string) => writeFileSync(path, 'text')],
  ])('serves the other slot when the file in the newest %s', async (_, replace) => {
    await filled();
    const path = join(base, 'data01', 'data.db');
    renameSync(path, `${path}.old`);
    replace(path);
    writeFileSync(`${path}.md5`, md5('text'));
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.value()).toBe('1');
    expect(subject.logger.lines[0]).toMatch(/^warn slot data01 is not used: /);
  });

  test('serves the other slot when the sum file of the newest cannot be read', async () => {
    await filled();
    renameSync(join(base, 'data01', 'data.db.md5'), join(base, 'elsewhere'));
    mkdirSync(join(base, 'data01', 'data.db.md5'));
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.value()).toBe('1');
    expect(subject.logger.lines[0]).toMatch(
      /^warn slot data01 is not used: a folder has the name of a file: remove it \(EISDIR: /,
    );
  });

  test('takes over the slots of the Go program, and keeps to the newer at each start', async () => {
    for (const [slot, v] of [
      ['data00', 1],
      ['data01', 2],
    ] as const) {
      mkdirSync(join(base, slot));
      writeFileSync(join(base, slot, 'data.db'), version(v));
      utimesSync(join(base, slot, 'data.db'), v, v);
      writeFileSync(join(base, slot, 'data.db.md5'), `${md5(version(v))}\n`);
    }
    for (let start = 1; start <= 3; start++) {
      const subject = startLoader();
      expect(await subject.recover()).toBe(true);
      expect(subject.value()).toBe('2');
      expect(subject.served[0].generation).toBe(1);
    }
  });

  test('removes the sum file of the drop that a crash left behind, and no other', async () => {
    await filled();
    writeFileSync(`${file}.md5`, md5(version(2)));
    await startLoader().recover();
    expect(existsSync(`${file}.md5`)).toBe(false);
    writeFileSync(`${file}.md5`, md5(version(3)));
    await startLoader().recover();
    expect(existsSync(`${file}.md5`)).toBe(true);
  });
});

/** Writes a module and returns its URL. */
function moduleFile(text: string): string {
  const path = join(temporaryFolder(), 'module.mjs');
  writeFileSync(path, text);
  return pathToFileURL(path).href;
}

describe('a guard', () => {
  const guards = { minKeys: 2 };

  test('has a sound file quarantined before anything is moved, and what served keeps serving', async () => {
    const subject = startLoader({ guards });
    await subject.recover();
    await subject.load('{"v":"1","w":"1"}');
    expect(await subject.load(version(2))).toEqual({ kind: 'rejected' });
    expect(subject.value()).toBe('1');
    expect(readFileSync(`${file}.rejected`, 'utf8')).toBe(version(2));
    expect(existsSync(join(base, 'data01', 'data.db'))).toBe(false);
    expect(subject.logger.lines.at(-1)).toBe(
      `error rejected ${file}: expected at least 2 keys (-min-keys), found 1 (TOO_FEW_KEYS); ` +
        `quarantined as ${file}.rejected; generation 1 from ${join(base, 'data00', 'data.db')} keeps serving`,
    );
  });

  test('does not judge what is in the slots at a start', async () => {
    const before = startLoader();
    await before.recover();
    await before.load(version(1));
    const subject = startLoader({ guards });
    expect(await subject.recover()).toBe(true);
    expect(subject.value()).toBe('1');
  });

  test('is overridden by a mark beside the file, once', async () => {
    const subject = startLoader({ guards });
    await subject.recover();
    writeFileSync(`${file}.force`, '');
    expect(await subject.load(version(1))).toEqual({ kind: 'taken' });
    expect(subject.value()).toBe('1');
    expect(existsSync(`${file}.force`)).toBe(false);
    expect(subject.logger.lines).toContain(
      `warn in generation 1 from ${file}: served in spite of this, by its .force mark: expected at ` +
        'least 2 keys (-min-keys), found 1 (TOO_FEW_KEYS)',
    );
    expect(await subject.load(version(2))).toEqual({ kind: 'rejected' });
  });

  test('is not overridden by a mark for another file, which stays', async () => {
    const subject = startLoader({ guards });
    await subject.recover();
    writeFileSync(`${file}.force`, `${md5(version(2))}  data.json\n`);
    expect(await subject.load(version(1))).toEqual({ kind: 'rejected' });
    expect(existsSync(`${file}.force`)).toBe(true);
    expect(await subject.load(version(2))).toEqual({ kind: 'taken' });
    expect(existsSync(`${file}.force`)).toBe(false);
  });

  test('is no more overridden than integrity is: a bad file is rejected with its mark', async () => {
    const subject = startLoader({ guards });
    await subject.recover();
    writeFileSync(`${file}.force`, '');
    expect(await subject.load('{"v":1}')).toEqual({ kind: 'rejected' });
    expect(existsSync(`${file}.force`)).toBe(false);
    writeFileSync(`${file}.force`, '');
    const mismatch = await subject.load(version(1), '0'.repeat(32));
    expect(mismatch.kind).toBe('mismatch');
    expect(existsSync(`${file}.force`)).toBe(true);
  });

  test('hears what clients asked for of late', async () => {
    const sample = Array.from({ length: 100 }, () => ({ key: Buffer.from('v'), wasHit: true }));
    const hitGuards = { maxHitDropPercent: 5 };
    const subject = startLoader({ guards: hitGuards, sample: () => sample });
    await subject.recover();
    await subject.load(version(1));
    expect(await subject.load('{"w":"2"}')).toEqual({ kind: 'rejected' });
    expect(subject.logger.lines.at(-1)).toContain('missing are "v" (HIT_RATE_DROPPED)');
    expect(await subject.load(version(3))).toEqual({ kind: 'taken' });
  });
});
