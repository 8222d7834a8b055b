import { execFileSync } from 'node:child_process';
import { constants, renameSync, statSync, writeFileSync } from 'node:fs';
import { chmod, link, mkdir, open, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, type Mock, vi } from 'vitest';
import { GoromdbError } from '../../src/common/errors.ts';
import { see } from '../../src/common/file-identity.ts';
import { silentLogger } from '../../src/common/log.ts';
import { readSumFile } from '../../src/common/sum-file.ts';
import { Receipts, receiptPath } from '../../src/loader/drops/receipt.ts';
import type { Drop, Verdict } from '../../src/watcher/drop.ts';
import type { WaitReason } from '../../src/watcher/wait-reasons.ts';
import {
  createGate,
  md5,
  NEVER_MS,
  pass,
  SETTLED_MS,
  until,
  useDropFolder,
} from './drop-folder.ts';

const {
  folder,
  file,
  sumFile,
  infos,
  warnings,
  errors,
  drops,
  verify,
  start,
  put,
  putFile,
  putSum,
} = useDropFolder();

describe('a sum file that cannot be read', () => {
  it('is warned of once when it has settled, with its text and with what is accepted', async () => {
    await putFile('one');
    await put(sumFile, `<html>\x1b[31m${'x'.repeat(200)}`);
    start({ rescanMs: 20 });
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain(`"<html>\\x1b[31m${'x'.repeat(69)}"...`);
    expect(warnings[0]).toContain(sumFile);
    expect(warnings[0]).toContain('md5sum');
    expect(warnings[0]).toMatch(/^SUM_INVALID: /);
    await pass();
    expect(warnings).toHaveLength(1);
    expect(drops).toHaveLength(0);
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('is refused when it is too large, though its first line is right', async () => {
    await putFile('one');
    await put(sumFile, `${md5('one')}  data.db\n${'\n'.repeat(4096)}`);
    start();
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain('4096 bytes');
    expect(drops).toHaveLength(0);
  });
});

describe('something that is not a regular file', () => {
  it('does not open a FIFO in place of the file', async () => {
    execFileSync('mkfifo', [file]);
    await putSum('one');
    start();
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain(
      `${file}: expected a regular file that can be read, found a FIFO`,
    );
    expect(drops).toHaveLength(0);
    // A FIFO that nobody has open for reading refuses a writer that does not wait.
    const flags = constants.O_WRONLY | constants.O_NONBLOCK;
    await expect(open(file, flags)).rejects.toMatchObject({ code: 'ENXIO' });
    await putFile('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('does not open a FIFO in place of the sum file', async () => {
    await putFile('one');
    execFileSync('mkfifo', [sumFile]);
    start();
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain(
      `${sumFile}: expected a regular file that can be read, found a FIFO`,
    );
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('is warned of once when it is a directory', async () => {
    await mkdir(file);
    start({ rescanMs: 20 });
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain(
      `${file}: expected a regular file that can be read, found a directory`,
    );
    await writeFile(join(file, 'x'), 'x');
    await pass();
    expect(warnings).toHaveLength(1);
  });

  it('is warned of once when it is a symbolic link to nothing', async () => {
    await symlink(join(folder, 'nowhere'), file);
    await putSum('one');
    start({ rescanMs: 20 });
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain('a symbolic link to nothing');
    await unlink(file);
    await putFile('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('offers a symbolic link to a regular file', async () => {
    await put(join(folder, 'target'), 'one');
    await symlink('target', file);
    await putSum('one');
    start();
    await until(() => expect(drops).toHaveLength(1));
  });
});

describe('a drop that is reached by a link, or has a second name', () => {
  const SECRET = 'deadbeefdeadbeefdeadbeefdeadbeef';
  const reasons: WaitReason[] = [];
  const onWait = (reason: WaitReason): void => void reasons.push(reason);
  afterEach(() => void reasons.splice(0));

  /** All that was logged or notified. */
  const all = (): string => JSON.stringify([warnings, infos, errors, reasons]);

  it.each([
    ['a symbolic link', symlink],
    ['a second name', link],
  ])('shows the MD5 of its file to nobody when it is %s', async (_, make) => {
    await put(join(folder, 'secret'), 'one');
    await make(join(folder, 'secret'), file);
    await putSum('two');
    start({ onWait });
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toMatch(/^SUM_MISMATCH: .* \(not shown/);
    expect(drops[0].isLinked).toBe(true);
    expect(all()).not.toContain(md5('one'));
  });

  it('shows the MD5 that its sum file leads to, to nobody', async () => {
    await putFile('one');
    await put(join(folder, 'token'), SECRET);
    await symlink(join(folder, 'token'), sumFile);
    start({ onWait });
    await until(() => expect(warnings).toHaveLength(1));
    expect(drops[0].isLinked).toBe(true);
    expect(all()).not.toContain(SECRET);
  });

  it('shows the text that its sum file leads to, to nobody', async () => {
    await putFile('one');
    await put(join(folder, 'shadow'), 'root:secret:1::::::');
    await symlink(join(folder, 'shadow'), sumFile);
    start({ onWait });
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toMatch(/^SUM_INVALID: .* \(not shown/);
    expect(all()).not.toContain('secret');
  });

  it('names the fault of its load in the log only', async () => {
    await put(join(folder, 'target'), 'one');
    await symlink('target', file);
    await putSum('one');
    start({
      onWait,
      onDrop: async () => {
        throw new GoromdbError('SCANNER_FAILED', 'what the file holds');
      },
    });
    await until(() => expect(errors).toHaveLength(1));
    expect(errors[0]).toContain('what the file holds');
    await until(() => expect(reasons.at(-1)?.code).toBe('SCANNER_FAILED'));
    expect(JSON.stringify(reasons)).not.toMatch(new RegExp(`what the file holds|${md5('one')}`));
  });

  it('is not read when it has taken the place of the sum file that was seen', async () => {
    await put(join(folder, 'token'), SECRET);
    await putFile('one');
    await putSum('one');
    const seen = await see(sumFile);
    if (seen.kind !== 'file') throw new Error('no sum file');
    await unlink(sumFile);
    await symlink(join(folder, 'token'), sumFile);
    const late = readSumFile(sumFile, seen.identity);
    await expect(late).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  });

  it('is found at once when a Kubernetes volume changes to its next version', async () => {
    for (const [version, content] of [
      ['1', 'one'],
      ['2', 'two'],
    ]) {
      await mkdir(join(folder, `..v${version}`));
      await put(join(folder, `..v${version}`, 'data.db'), content);
      await put(join(folder, `..v${version}`, 'data.db.md5'), md5(content));
    }
    await symlink('..v1', join(folder, '..data'));
    await symlink('..data/data.db', file);
    await symlink('..data/data.db.md5', sumFile);
    const seen: string[] = [];
    start({
      onDrop: async (drop) => {
        seen.push(drop.md5);
        return { kind: 'taken' };
      },
    });
    await until(() => expect(seen).toEqual([md5('one')]));
    await symlink('..v2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await until(() => expect(seen).toEqual([md5('one'), md5('two')]));
  });
});

describe('a mark beside the file', () => {
  it.each([
    ['is empty', '', true],
    ["has the file's sum", `${md5('one')}\n`, true],
    ["is a copy of openssl's sum file", `MD5(data.db)= ${md5('one')}\n`, true],
    ['has the sum of another file', `${md5('two')}\n`, false],
  ])('that %s comes with the drop', async (_, mark, force) => {
    await put(`${file}.force`, mark);
    await putFile('one');
    await putSum('one');
    start();
    await until(() => expect(drops).toMatchObject([{ force }]));
  });

  it('that is a link does not count, wherever it leads', async () => {
    await put(join(folder, 'nothing'), '');
    await symlink('nothing', `${file}.force`);
    await putFile('one');
    await putSum('one');
    start();
    await until(() => expect(drops).toMatchObject([{ force: false }]));
  });

  it('that is a FIFO does not count and does not block', async () => {
    execFileSync('mkfifo', [`${file}.force`]);
    await putFile('one');
    await putSum('one');
    start();
    await until(() => expect(drops).toMatchObject([{ force: false }]));
  });
});

describe('a load', () => {
  /** Loads until its signal is aborted. */
  function endless(): { onDrop: (drop: Drop, signal: AbortSignal) => Promise<Verdict> } {
    return {
      onDrop: (drop, signal) => {
        drops.push(drop);
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('it was stopped')));
        });
      },
    };
  }

  it.each([
    ['replaced', (): Promise<void> => putFile('two')],
    ['written to', (): Promise<void> => writeFile(file, 'two', { flag: 'r+' })],
  ])('is aborted when its file is %s', async (_, change) => {
    await putFile('one');
    await putSum('one');
    start(endless());
    await until(() => expect(drops).toHaveLength(1));
    // First the sum, which aborts nothing: the next offer finds both, however late.
    await putSum('two');
    await change();
    await until(() => expect(drops).toHaveLength(2));
    expect(drops[1].md5).toBe(md5('two'));
    expect(infos).toEqual([`the load of ${file} is aborted: another file is in its place`]);
    expect(errors).toEqual([]);
  });

  it('is aborted by re-scan where no events arrive', async () => {
    await putFile('one');
    await putSum('one');
    const running = start({ ...endless(), rescanMs: 20, polling: true, pollMs: NEVER_MS });
    await until(() => expect(drops).toHaveLength(1));
    await putFile('two');
    await until(() => expect(infos).toHaveLength(1));
    await running.close();
  });

  it('is not aborted when its file is moved away, as it is when it is taken', async () => {
    await putFile('one');
    await putSum('one');
    const running = start({ ...endless(), rescanMs: 10 });
    await until(() => expect(drops).toHaveLength(1));
    await unlink(file);
    await pass();
    expect(infos).toEqual([]);
    await running.close();
  });
});

describe('what is waited for', () => {
  /** Waits until looks have come to rest, and shows that they have. */
  async function expectRest(onWait: Mock): Promise<void> {
    await until(async () => {
      const looks = onWait.mock.calls.length;
      expect(looks).toBeGreaterThan(0);
      await pass();
      expect(onWait).toHaveBeenCalledTimes(looks);
    });
  }

  it('may be written beside the file each time, and is not looked at for it', async () => {
    const onWait = vi.fn(() => {
      writeFileSync(`${file}.status.json.tmp`, String(onWait.mock.calls.length));
      renameSync(`${file}.status.json.tmp`, `${file}.status.json`);
    });
    await putFile('one');
    start({ onWait });
    await expectRest(onWait);
  });

  it('is written as a receipt once when polling, however often it is looked at', async () => {
    const receipts = new Receipts(silentLogger);
    const onWait = vi.fn(({ code, text: reason }: WaitReason) => {
      receipts.say({ file }, { state: 'waiting', code, reason });
    });
    await putFile('one');
    start({ onWait, polling: true, pollMs: 10 });
    const looked = async (): Promise<bigint> => {
      const looks = onWait.mock.calls.length;
      await until(() => expect(onWait.mock.calls.length).toBeGreaterThan(looks + 3));
      await receipts.flush();
      return statSync(receiptPath(file), { bigint: true }).ctimeNs;
    };
    expect(await looked()).toBe(await looked());
  });

  it('has a code: the sum file, another MD5, a change, what failed', async () => {
    const reasons: string[] = [];
    const verdicts: (() => Promise<Verdict>)[] = [
      async () => ({ kind: 'mismatch', found: md5('two') }),
      async () => ({ kind: 'changed' }),
      () => Promise.reject(new GoromdbError('FOLDER_UNUSABLE', 'no room')),
    ];
    const onDrop = (): Promise<Verdict> => (verdicts.shift() ?? verify)(drops[0]);
    await putFile('one');
    start({ onDrop, onWait: ({ code }) => void reasons.push(code) });
    await until(() => expect(reasons).toEqual(['SUM_MISSING']));
    await put(sumFile, md5('one'));
    await until(() => expect(reasons).toContain('SUM_MISMATCH'));
    await put(sumFile, `${md5('one')}\n`);
    await until(() => expect(reasons.at(-1)).toBe('FOLDER_UNUSABLE'));
    expect(new Set(reasons)).toEqual(
      new Set(['SUM_MISSING', 'SUM_MISMATCH', 'FILE_CHANGED', 'FOLDER_UNUSABLE']),
    );
  });
});

describe('verdicts', () => {
  it('does not offer a rejected drop again until it changes', async () => {
    const onDrop = vi.fn(async (): Promise<Verdict> => ({ kind: 'rejected' }));
    await putFile('one');
    await putSum('one');
    start({ onDrop, rescanMs: 20 });
    await until(() => expect(onDrop).toHaveBeenCalledTimes(1));
    await pass();
    expect(onDrop).toHaveBeenCalledTimes(1);
    expect(warnings).toEqual([]);
    await chmod(file, 0o600);
    await until(() => expect(onDrop).toHaveBeenCalledTimes(2));
  });

  it('looks again, after a pause, at a drop that changed while it was read', async () => {
    const verdicts: Verdict[] = [{ kind: 'changed' }, { kind: 'taken' }];
    const times: number[] = [];
    const onDrop = vi.fn(async () => {
      times.push(performance.now());
      return verdicts.shift() ?? { kind: 'taken' as const };
    });
    await putFile('one');
    await putSum('one');
    start({ onDrop });
    await until(() => expect(onDrop).toHaveBeenCalledTimes(2));
    expect(times[1] - times[0]).toBeGreaterThanOrEqual(SETTLED_MS);
    await pass();
    expect(onDrop).toHaveBeenCalledTimes(2);
  });

  it('tries a failed load again after a while, and logs it once', async () => {
    const onDrop = vi
      .fn<() => Promise<Verdict>>()
      .mockRejectedValueOnce(new Error('too many open files'))
      .mockRejectedValueOnce(new Error('too many open files'))
      .mockResolvedValue({ kind: 'taken' });
    await putFile('one');
    await putSum('one');
    start({ onDrop, retryMs: 20 });
    await until(() => expect(onDrop).toHaveBeenCalledTimes(3));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(
      /failed: too many open files\. Nothing was changed: .* tried again in 0\.02 s, then less often, at least every 10 minutes; /,
    );
  });

  it('stops trying a scanner that fails again and again, until something changes', async () => {
    const fault = new GoromdbError('SCANNER_FAILED', 'the scanner for odd failed');
    const onDrop = vi.fn(() => Promise.reject(fault));
    await putFile('one');
    await putSum('one');
    start({ onDrop, retryMs: 1, rescanMs: 5 });
    await until(() => expect(errors).toHaveLength(2));
    expect(errors[0]).toContain('5 times in all');
    expect(errors[1]).toContain('It was tried 5 times and is not tried again: fix the scanner');
    await pass();
    expect(onDrop).toHaveBeenCalledTimes(5);
    await putFile('two');
    await until(() => expect(onDrop.mock.calls.length).toBeGreaterThan(5));
  });

  it('logs a fault once and tries again when the drop changes or a look is asked for', async () => {
    const onDrop = vi.fn(async () => Promise.reject(new Error('disk on fire')));
    await putFile('one');
    await putSum('one');
    const running = start({ onDrop, rescanMs: 20 });
    await until(() => expect(errors).toHaveLength(1));
    expect(errors[0]).toContain('disk on fire');
    await pass();
    expect(onDrop).toHaveBeenCalledTimes(1);
    running.look();
    await until(() => expect(errors).toHaveLength(2));
    await putFile('two');
    await until(() => expect(errors).toHaveLength(3));
  });

  it('makes one offer at a time and looks again at what came during it', async () => {
    const gate = createGate();
    let running = 0;
    let runningMax = 0;
    const onDrop = async (drop: Drop): Promise<Verdict> => {
      drops.push(drop);
      runningMax = Math.max(runningMax, ++running);
      await gate.opened;
      running--;
      return { kind: 'taken' };
    };
    await putFile('one');
    await putSum('one');
    start({ onDrop });
    await until(() => expect(drops).toHaveLength(1));
    await putFile('two');
    await putSum('two');
    await pass();
    expect(drops).toHaveLength(1);
    gate.open();
    await until(() => expect(drops).toHaveLength(2));
    expect(drops[1].md5).toBe(md5('two'));
    expect(runningMax).toBe(1);
  });

  it('does not let an offer that runs make it forget that a look was asked for', async () => {
    const gate = createGate();
    const onDrop = vi.fn(async (): Promise<Verdict> => {
      await gate.opened;
      return { kind: 'rejected' };
    });
    await putFile('one');
    await putSum('one');
    const running = start({ onDrop });
    await until(() => expect(onDrop).toHaveBeenCalledTimes(1));
    running.look();
    gate.open();
    await until(() => expect(onDrop).toHaveBeenCalledTimes(2));
  });

  it('warns of nothing that was put right while it was read', async () => {
    const gate = createGate();
    const onDrop = async (drop: Drop): Promise<Verdict> => {
      const verdict = await verify(drop);
      if (drops.length === 1) await gate.opened;
      return verdict;
    };
    await putFile('one');
    await putSum('two');
    start({ onDrop });
    await until(() => expect(drops).toHaveLength(1));
    await pass();
    await putSum('one');
    gate.open();
    await until(() => expect(drops).toHaveLength(2));
    expect(warnings).toEqual([]);
  });
});
