import fs, { existsSync, writeFileSync } from 'node:fs';
import promises, { open, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Verdict } from '../../src/watcher/drop.ts';
import { LONG_AGO_S, md5, pass, STABLE_MS, until, useDropFolder } from './drop-folder.ts';

const { folder, file, sumFile, warnings, drops, verify, start, put, putFile, putSum } =
  useDropFolder();

/** A path that the file system is asked for. */
interface Look {
  readonly call: string;
  readonly path: string;
}

/** Names of functions that look at a path. */
const LOOKS = /^(l?stat|open|readdir|opendir|watch|access|exists|readlink|realpath)/;

/** Notes all that this process, with its dependencies, looks at from now on. */
function spyOnLooks(): readonly Look[] {
  const looks: Look[] = [];
  const spies = [fs, promises].flatMap((module) => {
    const calls = module as unknown as Record<string, (...given: unknown[]) => unknown>;
    const looking = Object.keys(calls).filter((call) => LOOKS.test(call));
    return looking.map((call) => {
      const original = calls[call];
      return vi.spyOn(calls, call).mockImplementation((...given) => {
        looks.push({ call, path: String(given[0]) });
        return original(...given);
      });
    });
  });
  syncBuiltinESMExports();
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
    syncBuiltinESMExports();
  });
  return looks;
}

function nameOf({ path }: Look): string {
  return basename(path);
}

describe('a watcher', () => {
  it('offers the drop that is there at start', async () => {
    await putFile('one');
    await putSum('one');
    start();
    await until(() => expect(drops).toHaveLength(1));
    expect(drops[0]).toMatchObject({ file, sumFile, md5: md5('one') });
    expect(drops[0].identity.size).toBe(3n);
  });

  it('offers the drop when the file comes first', async () => {
    start();
    await putFile('one');
    await pass(STABLE_MS);
    expect(drops).toHaveLength(0);
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  describe('without a sum file', () => {
    it('is warned of once, 30 s after the last change of the file', async () => {
      let nowMs = 0;
      const onWait = vi.fn();
      const looked = async (): Promise<void> => {
        const looks = onWait.mock.calls.length;
        // The look that is under way may have read the clock before.
        await until(() => expect(onWait.mock.calls.length).toBeGreaterThan(looks + 1));
      };
      await putFile('one');
      start({ onWait, rescanMs: 5, now: () => nowMs });
      await looked();
      nowMs = 29_999;
      await looked();
      expect(warnings).toEqual([]);
      // It was not whole yet.
      await putFile('other');
      await looked();
      nowMs = 59_998;
      await looked();
      expect(warnings).toEqual([]);
      nowMs = 59_999;
      await looked();
      await looked();
      expect(warnings).toEqual([
        `SUM_MISSING: ${file} waits for its sum file ${sumFile}: ` +
          'write that last (md5sum data.db > data.db.md5)',
      ]);
      await putSum('other');
      await until(() => expect(drops).toHaveLength(1));
    });

    it('notifies when there is no file any more', async () => {
      const calls: string[] = [];
      const onWait = (): void => void calls.push('waits');
      const onAbsent = (): void => void calls.push('absent');
      start({ onWait, onAbsent, rescanMs: 5 });
      await until(() => expect(calls).toContain('absent'));
      await putFile('one');
      await until(() => expect(calls.at(-1)).toBe('waits'));
      await rm(file);
      await until(() => expect(calls.at(-1)).toBe('absent'));
    });
  });

  it('offers the drop when the sum file comes first', async () => {
    start();
    await putSum('one');
    await pass(STABLE_MS);
    expect(drops).toHaveLength(0);
    await putFile('one');
    await until(() => expect(drops).toHaveLength(1));
    expect(warnings).toEqual([]);
  });

  it('offers each of many drops that follow one another', async () => {
    start();
    for (let count = 1; count <= 20; count++) {
      const content = `content ${count}`;
      if (count % 2 === 0) await putSum(content);
      await putFile(content);
      if (count % 2 === 1) await putSum(content);
      await until(() => expect(drops).toHaveLength(count));
      await until(() => expect(existsSync(sumFile)).toBe(false));
    }
    expect(warnings).toEqual([]);
  });

  it.each([
    ['by events', {}],
    ['by polling', { polling: true, pollMs: 20 }],
  ])('looks at no other file of the folder, however many there are: %s', async (_, options) => {
    for (let i = 0; i < 2_000; i++) writeFileSync(join(folder, `other-${i}`), '');
    const looks = spyOnLooks();
    start(options);
    for (const content of ['one', 'two']) {
      writeFileSync(join(folder, `other-${content}`), '');
      await putFile(content);
      await putSum(content);
      await until(() => expect(drops.at(-1)?.md5).toBe(md5(content)));
      await until(() => expect(existsSync(sumFile)).toBe(false));
    }
    const names = new Set(looks.filter(({ path }) => dirname(path) === folder).map(nameOf));
    expect(names).toEqual(new Set(['data.db', 'data.db.md5', 'data.db.force']));
    expect(looks.filter(({ path, call }) => path === folder && /dir/.test(call))).toEqual([]);
    const watched = looks.filter(({ call }) => call.startsWith('watch')).map(({ path }) => path);
    expect(watched).toEqual('polling' in options ? [] : [folder]);
  });

  it('does not react to other files of the folder', async () => {
    const onDrop = vi.fn(verify);
    await putFile('one');
    await put(sumFile, `${md5('other')}\n`);
    start({ onDrop });
    await until(() => expect(warnings).toHaveLength(1));
    for (let count = 0; count < 20; count++) await writeFile(join(folder, `x${count}`), 'x');
    await pass();
    expect(onDrop).toHaveBeenCalledTimes(1);
    expect(warnings).toHaveLength(1);
  });

  it('stays silent while a file grows, reads it little and offers it once whole', async () => {
    let nowMs = 0;
    start({ stableMs: 300, settledMs: 1500, now: () => nowMs });
    await putSum('0123456789'.repeat(20));
    const handle = await open(file, 'w');
    for (let count = 0; count < 20; count++) {
      await handle.write('0123456789');
      // On the watcher's clock it is no more on a busy machine.
      nowMs += 10;
      await pass(10);
    }
    await handle.close();
    await until(() => {
      nowMs += 10;
      expect(drops.at(-1)?.identity.size).toBe(200n);
    });
    expect(drops.length).toBeLessThanOrEqual(4);
    await pass(STABLE_MS);
    expect(warnings).toEqual([]);
  });

  it('stays silent while a sum file is written slowly', async () => {
    // No time goes by for the watcher, as it may on a busy machine.
    start({ settledMs: 1000, now: () => 0 });
    await putFile('one');
    const handle = await open(sumFile, 'w');
    for (const char of `${md5('one')}  data.db\n`) await handle.write(char);
    await handle.close();
    await until(() => expect(drops.length).toBeGreaterThan(0));
    expect(warnings).toEqual([]);
  });
});

describe('a pair that does not match', () => {
  it('is warned of once, with both sums, when it has settled', async () => {
    await putFile('one');
    await putSum('two');
    start({ rescanMs: 20 });
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain(file);
    expect(warnings[0]).toContain(md5('one'));
    expect(warnings[0]).toContain(md5('two'));
    expect(warnings[0]).toMatch(/^SUM_MISMATCH: /);
    await pass();
    expect(warnings).toHaveLength(1);
    expect(drops).toHaveLength(1);
  });

  it('is offered again when only the sum file changes', async () => {
    await putFile('one');
    await putSum('two');
    start();
    await until(() => expect(warnings).toHaveLength(1));
    await putSum('one');
    await until(() => expect(drops).toHaveLength(2));
    expect(drops[1].md5).toBe(md5('one'));
  });

  it('is offered again when only the file changes', async () => {
    await putFile('one');
    await putSum('two');
    start();
    await until(() => expect(warnings).toHaveLength(1));
    await putFile('two');
    await until(() => expect(drops).toHaveLength(2));
    await pass();
    expect(warnings).toHaveLength(1);
  });

  it('is not warned of when it is put right before it settles', async () => {
    start({ settledMs: 5000 });
    await putSum('two');
    await putFile('one');
    await until(() => expect(drops).toHaveLength(1));
    await pass();
    await putSum('one');
    await until(() => expect(drops).toHaveLength(2));
    await pass();
    expect(warnings).toEqual([]);
  });

  it('is warned of anew when it changed and is still wrong', async () => {
    await putFile('one');
    await putSum('two');
    start();
    await until(() => expect(warnings).toHaveLength(1));
    await putFile('three');
    await until(() => expect(warnings).toHaveLength(2));
    expect(warnings[1]).toContain(md5('three'));
  });

  it('is read once more before the warning when it was just written', async () => {
    const verdicts: Verdict[] = [{ kind: 'mismatch', found: md5('half') }, { kind: 'taken' }];
    const onDrop = vi.fn(async () => verdicts.shift() ?? { kind: 'taken' as const });
    await putSum('one');
    await putFile('one');
    // The file's mtime is this very tick: the next write may leave it as it is.
    vi.spyOn(Date, 'now').mockReturnValue(LONG_AGO_S * 1000);
    start({ onDrop });
    await until(() => expect(onDrop).toHaveBeenCalledTimes(2));
    await pass();
    expect(onDrop).toHaveBeenCalledTimes(2);
    expect(warnings).toEqual([]);
  });

  it('is offered again, and warned of again, when a look is asked for', async () => {
    await putFile('one');
    await putSum('two');
    const running = start();
    await until(() => expect(warnings).toHaveLength(1));
    running.look();
    await until(() => expect(warnings).toHaveLength(2));
    expect(drops).toHaveLength(2);
  });
});
