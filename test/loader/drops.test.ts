import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, expect, onTestFinished, type TestContext, test } from 'vitest';
import { messageOf } from '../../src/common/errors.ts';
import type { Drop } from '../../src/watcher/drop.ts';
import { buildFile } from '../storage/scanners/bolt-fixture.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { dropOf, LoaderHarness, serving, version } from './loader-harness.ts';

describe('the file that serves, dropped again', () => {
  test('is taken away, has the receipt of its generation, and leaves the slots as they are', async () => {
    const harness = await serving();
    const before = harness.slotFiles();
    const lines = harness.logger.lines.length;
    for (let i = 0; i < 2; i++) expect(await harness.load(version(2))).toEqual({ kind: 'taken' });
    expect(harness.slotFiles()).toEqual(before);
    expect(harness.served).toHaveLength(2);
    expect(readdirSync(dirname(harness.file)).join()).toMatch(
      /^data\.json\.status\.json(,\S+\.tmp)?$/,
    );
    const told = harness.logger.lines.slice(lines);
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(/^info .*data\.json is what generation 2 serves already/);
    const { kind, text } = harness.loader.events.events.at(-1)!;
    expect([kind, `info ${text}`]).toEqual(['serving', told[1]]);
    await harness.loader.rollback();
    expect(harness.value).toBe('1');
    await harness.end();
  });

  test('has a receipt that says which generation serves it', async () => {
    const harness = await serving();
    await harness.load(version(2));
    await harness.end();
    const about = { state: 'serving', generation: 2, keys: 1, format: 'json', slot: 'data01' };
    const subject = { file: harness.file, md5: md5(version(2)), bytes: 9 };
    const verify = expect.any(Number);
    expect(harness.receipt()).toMatchObject({ ...subject, ...about, seconds: { verify } });
  });

  test('is not taken for that by its MD5 alone', async () => {
    const harness = await serving();
    drop(harness.file, version(3));
    const verdict = await harness.offer(md5(version(2)));
    expect(verdict).toEqual({ kind: 'mismatch', found: md5(version(3)) });
    expect(existsSync(harness.file)).toBe(true);
  });

  test.each<[string, (harness: LoaderHarness) => void, Partial<Drop>]>([
    ['when it is forced', () => {}, { force: true }],
    [
      'when a scrub has found the one in the slot damaged',
      ({ loader }) => loader.noteFileFault(2, 'it is damaged'),
      {},
    ],
    [
      'when its record says that other options made its table',
      ({ base }) => {
        const path = join(base, 'data01', 'generation.json');
        const record = JSON.parse(readFileSync(path, 'utf8'));
        record.table.recipe = '{}';
        writeFileSync(path, JSON.stringify(record));
      },
      {},
    ],
  ])('is loaded like any other %s', async (_, make, more) => {
    const harness = await serving();
    make(harness);
    drop(harness.file, version(2));
    expect(await harness.offer(md5(version(2)), more)).toEqual({ kind: 'taken' });
    expect(harness.generation).toBe(3);
  });

  test('is offered again when damage is found in the slot while its MD5 is computed', async () => {
    let isOver = true;
    const onLoad = (load: object | undefined): void => {
      if (load !== undefined && !isOver) harness.loader.noteFileFault(1, 'it is damaged');
    };
    const harness: LoaderHarness = new LoaderHarness({ onLoad });
    await harness.start();
    await harness.load(version(1));
    isOver = false;
    drop(harness.file, version(1));
    expect(await harness.offer(md5(version(1)))).toEqual({ kind: 'changed' });
    expect(existsSync(harness.file)).toBe(true);
    expect(await harness.offer(md5(version(1)))).toEqual({ kind: 'taken' });
    expect(harness.generation).toBe(2);
  });

  test('is loaded when another generation serves', async () => {
    const harness = await serving();
    expect(await harness.load(version(1))).toEqual({ kind: 'taken' });
    expect(harness.generation).toBe(3);
  });
});

describe('a file that the dropped name leads to', () => {
  /** Drops a link, or a second name, to a file with this content. */
  function dropLink(harness: LoaderHarness, content: string, make: typeof linkSync): string {
    const target = join(temporaryFolder(), 'target');
    writeFileSync(target, content, { mode: 0o600 });
    make(target, harness.file);
    return target;
  }

  test.each([
    ['a link', symlinkSync as typeof linkSync],
    ['a second name', linkSync],
  ])('is not told of before it serves: %s', async (_, make) => {
    const harness = await serving();
    dropLink(harness, version(3), make);
    expect(await harness.offer(md5('another'), { isLinked: true })).toMatchObject({
      kind: 'mismatch',
    });
    await harness.end();
    expect(Object.keys(harness.receipt()).sort()).toEqual(['at', 'file', 'percent', 'state']);
    await harness.start();
    await harness.offer(md5(version(3)), { isLinked: true });
    await harness.end();
    expect(harness.receipt()).toMatchObject({ state: 'serving', md5: md5(version(3)), bytes: 9 });
  });

  test('has why it is refused in the log, and not in receipt and events', async () => {
    const harness = await serving();
    dropLink(harness, '{"secret":1}', symlinkSync as typeof linkSync);
    await harness.offer(md5('{"secret":1}'), { isLinked: true });
    await harness.end();
    expect(harness.logger.lines.at(-1)).toMatch(/DATA_CORRUPT|FORMAT_UNSUPPORTED/);
    const { code, reason, ...rest } = harness.receipt() as { code: string; reason: string };
    expect(reason).toMatch(/Why is in the log/);
    expect(Object.keys(rest).sort()).toEqual(['at', 'file', 'quarantined', 'state']);
    const { text } = harness.loader.events.events.at(-1)!;
    expect(text).toBe(reason);
    expect(`${code}${reason}`).not.toContain('secret');
  });

  test.each([true, false])(
    'has its size told by the status of its load: not if linked, %s',
    async (isLinked) => {
      const shown: unknown[] = [];
      const onLoad = (load: object | undefined): void =>
        void (load && shown.push(harness.loader.status.loading));
      const harness = new LoaderHarness({ onLoad });
      await harness.start();
      for (const make of [symlinkSync as typeof linkSync, linkSync]) {
        dropLink(harness, version(3), make);
        await harness.offer(md5(version(3)), { isLinked });
      }
      const sinceMs = expect.any(Number);
      const size = isLinked ? {} : { bytes: 0 };
      const loading = { path: harness.file, stage: 'verify', sinceMs, ...size };
      // The second is what serves, and only summed.
      expect(shown).toEqual([loading, loading]);
    },
  );

  test('is not read when it has taken the place of the file that was seen', async () => {
    const harness = await serving();
    drop(harness.file, version(3));
    const seen = dropOf(harness.file, md5('x'));
    rmSync(harness.file);
    dropLink(harness, 'secret', symlinkSync as typeof linkSync);
    expect(await harness.loadDrop(seen)).toEqual({ kind: 'changed' });
  });

  test.each([0o600, 0o640])(
    'has copies in the slot that are no more open than it is: mode 0o%o',
    async (mode) => {
      const harness = await serving();
      const target = dropLink(harness, version(3), symlinkSync as typeof linkSync);
      chmodSync(target, mode);
      await harness.offer(md5(version(3)), { isLinked: true });
      const slot = join(harness.base, 'data00');
      for (const name of ['data.db', 'table.mdb']) {
        expect(lstatSync(join(slot, name)).mode & 0o777 & ~mode, name).toBe(0);
      }
      expect(statSync(slot).mode & 0o777).toBe(0o700);
    },
  );
});

describe('a volume of Kubernetes that may be written to', () => {
  function bring(harness: LoaderHarness, name: string, content: string): Partial<Drop> {
    const folder = dirname(harness.file);
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'data.json'), content);
    writeFileSync(join(folder, name, 'data.json.md5'), md5(content));
    symlinkSync(name, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    return { isLinked: true };
  }

  test('keeps its links, so that each later version is loaded, and none twice', async () => {
    const harness = new LoaderHarness();
    symlinkSync('..data/data.json', harness.file);
    symlinkSync('..data/data.json.md5', `${harness.file}.md5`);
    await harness.start();
    for (const v of [1, 2, 3]) {
      const more = bring(harness, `..version-${v}`, version(v));
      expect(await harness.offer(md5(version(v)), more)).toEqual({ kind: 'taken' });
      expect(harness.value).toBe(`${v}`);
    }
    await harness.end();
    await harness.start();
    expect(await harness.offer(md5(version(3)), { isLinked: true })).toEqual({ kind: 'taken' });
    expect(harness.generation).toBe(3);
    expect(readFileSync(`${harness.file}.md5`, 'utf8')).toBe(md5(version(3)));
    expect(harness.logger.lines.join('\n')).not.toMatch(/^warn .*cannot be removed/m);
  });

  test('loses its mark with the version that it was for, which would let in all later ones', async () => {
    const harness = new LoaderHarness();
    symlinkSync('..data/data.json', harness.file);
    await harness.start();
    for (const [content, kind] of [
      [version(1), 'taken'],
      ['[]', 'rejected'],
    ]) {
      writeFileSync(`${harness.file}.force`, '');
      const more = bring(harness, `..${kind}`, content);
      expect(await harness.offer(md5(content), { ...more, force: true })).toEqual({ kind });
      expect(existsSync(`${harness.file}.force`)).toBe(false);
    }
  });

  test('that is mounted anew undoes no rollback', async () => {
    const harness = new LoaderHarness();
    symlinkSync('..data/data.json', harness.file);
    await harness.start();
    for (const v of [1, 2]) {
      await harness.offer(md5(version(v)), bring(harness, `..version-${v}`, version(v)));
    }
    await harness.loader.rollback();
    expect(harness.value).toBe('1');
    await harness.end();
    const again = bring(harness, '..version-2-again', version(2));
    await harness.start();
    expect(await harness.offer(md5(version(2)), again)).toEqual({ kind: 'taken' });
    expect(harness.value).toBe('1');
  });

  test('keeps its links also when a version is refused', async () => {
    const harness = new LoaderHarness();
    symlinkSync('..data/data.json', harness.file);
    symlinkSync('..data/data.json.md5', `${harness.file}.md5`);
    await harness.start();
    const more = bring(harness, '..version-1', '[]');
    expect(await harness.offer(md5('[]'), more)).toEqual({ kind: 'rejected' });
    expect(harness.logger.lines.at(-1)).toContain("its link leads to a volume's next version");
    bring(harness, '..version-2', version(2));
    await harness.offer(md5(version(2)), more);
    expect(harness.value).toBe('2');
  });
});

describe('a dropped file that is a mount by itself', () => {
  /** Mounts a file over an empty one, as `docker run -v ./data.json:/drop/data.json` does. */
  function mountFile({ skip }: TestContext, { file }: LoaderHarness, content: string): string {
    const source = join(temporaryFolder(), 'source');
    writeFileSync(source, content);
    writeFileSync(file, '');
    try {
      execFileSync('mount', ['--bind', source, file], { stdio: 'pipe' });
    } catch (cause) {
      const reason = `this test mounts a file, which takes root: ${messageOf(cause)}`;
      if (process.env.CI !== undefined) throw new Error(reason);
      skip(reason);
    }
    onTestFinished(() => void execFileSync('umount', ['-l', file]));
    writeFileSync(`${file}.md5`, md5(content));
    return source;
  }

  test('is copied and stays, with advice to mount its folder, and is loaded when it changes', async (context) => {
    const harness = new LoaderHarness();
    await harness.start();
    const source = mountFile(context, harness, version(1));
    expect(await harness.offer(md5(version(1)))).toEqual({ kind: 'taken' });
    expect(harness.value).toBe('1');
    expect(harness.logger.lines.join('\n')).toMatch(
      /warn .* is taken, but cannot be removed \(.*: mount its folder \(EBUSY/,
    );
    expect(await harness.offer(md5(version(1)))).toEqual({ kind: 'taken' });
    expect(harness.generation).toBe(1);
    truncateSync(source);
    writeFileSync(source, version(2));
    writeFileSync(`${harness.file}.md5`, md5(version(2)));
    await harness.offer(md5(version(2)));
    expect(harness.value).toBe('2');
  });

  test('is refused with the same advice when it is bad', async (context) => {
    const harness = new LoaderHarness();
    await harness.start();
    mountFile(context, harness, '[]');
    expect(await harness.offer(md5('[]'))).toEqual({ kind: 'rejected' });
    expect(harness.logger.lines.at(-1)).toMatch(
      /could not be quarantined \(.*: mount its folder \(EBUSY/,
    );
  });
});

describe('a file without keys', () => {
  test('is refused where keys are served, unless it is forced', async () => {
    const harness = await serving();
    expect(await harness.load('{}')).toEqual({ kind: 'rejected' });
    expect(harness.value).toBe('2');
    await harness.end();
    expect(harness.receipt()).toMatchObject({ code: 'TOO_FEW_KEYS', numbers: { keys: 0 } });
    await harness.start();
    drop(harness.file, '{}');
    expect(await harness.offer(md5('{}'), { force: true })).toEqual({ kind: 'taken' });
    expect(harness.served.at(-1)?.keys).toBe(0);
    expect(await harness.load(version(3))).toEqual({ kind: 'taken' });
  });

  test('may be the first, and may come where -min-keys 0 allows it', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    expect(await harness.load('{}')).toEqual({ kind: 'taken' });
    await harness.load(version(1));
    await harness.end();
    await harness.start({ guards: { minKeys: 0 } });
    expect(await harness.load('{ }')).toEqual({ kind: 'taken' });
  });

  test.each([
    ['alone', {}],
    ['with namespaces', { namespaces: { delimiter: ':' } }],
  ])(
    'is told of, when it is of bolt, as one whose records are in nested buckets: %s',
    async (_, options) => {
      const harness = new LoaderHarness({ scanner: 'boltdb', ...options });
      await harness.start();
      expect(await harness.load(buildFile(4096, [['v', '1']]))).toEqual({ kind: 'taken' });
      expect(await harness.load(nestedOnly())).toEqual({ kind: 'rejected' });
      expect(harness.logger.lines.at(-1)).toMatch(
        /found none; 1 bucket inside of another one is not served.*\(TOO_FEW_KEYS\)/,
      );
      expect(harness.served).toHaveLength(1);
      await harness.end();
      expect(harness.receipt()).toMatchObject({ code: 'TOO_FEW_KEYS', numbers: { keys: 0 } });
    },
  );
});

/** A bolt file whose only bucket has nothing but a bucket inside, with one record. */
function nestedOnly(): Buffer {
  // A small bucket lies inside of its parent: a head without a root page, then a leaf page of one element.
  const inner = Buffer.alloc(50);
  inner.writeUInt16LE(2, 24);
  inner.writeUInt16LE(1, 26);
  for (const [at, number] of [
    [36, 16],
    [40, 1],
    [44, 1],
  ])
    inner.writeUInt32LE(number, at);
  inner.write('kv', 48);
  const bytes = buildFile(4096, [['inside', inner.toString('latin1')]]);
  // The first element of the bucket's leaf is a bucket.
  bytes.writeUInt32LE(1, 3 * 4096 + 16);
  return bytes;
}

describe('a file that is much smaller than what serves', () => {
  const many = JSON.stringify(
    Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, ''])),
  );

  test.each([
    ['is warned of', {}, 'taken', true],
    [
      'is not warned of where a guard says how much it may shrink',
      { maxShrinkPercent: 99 },
      'taken',
      false,
    ],
    ['is refused by the guard', { maxShrinkPercent: 90 }, 'rejected', false],
  ])('%s', async (_, guards, verdict, isWarned) => {
    const harness = new LoaderHarness({ guards });
    await harness.start();
    await harness.load(many);
    expect((await harness.load(version(1))).kind).toBe(verdict);
    const warnings = harness.logger.lines.filter((line) => line.startsWith('warn'));
    expect(warnings.some((line) => /99.0% fewer keys: 1, in place of the 100/.test(line))).toBe(
      isWarned,
    );
  });
});
