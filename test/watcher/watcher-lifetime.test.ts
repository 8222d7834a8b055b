import { mkdir, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { FSWatcher } from 'chokidar';
import { describe, expect, it, vi } from 'vitest';
import type { Drop, Verdict } from '../../src/watcher/drop.ts';
import { createGate, NEVER_MS, pass, until, useDropFolder } from './drop-folder.ts';

const { folder, infos, warnings, errors, drops, start, putFile, putSum } = useDropFolder();

describe('lost events', () => {
  it('finds the drop by re-scan', async () => {
    // That it is asked for no events stands for a file system that tells of nothing.
    start({ polling: true, pollMs: NEVER_MS, rescanMs: 30 });
    await pass();
    await putFile('one');
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('finds the drop by polling', async () => {
    start({ polling: true, pollMs: 20 });
    await pass();
    await putFile('one');
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('warns once when the folder goes away, and finds drops when it is back', async () => {
    start({ rescanMs: 30 });
    await putSum('one');
    await rm(folder, { recursive: true });
    await until(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain(folder);
    await pass();
    expect(warnings).toHaveLength(1);
    expect(infos).toEqual([]);
    await mkdir(folder);
    await until(() => expect(infos).toHaveLength(1));
    await putFile('one');
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('waits for a folder that is not there at start', async () => {
    await rm(folder, { recursive: true });
    start({ rescanMs: 30 });
    await until(() => expect(warnings).toHaveLength(1));
    await mkdir(folder);
    await putFile('one');
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('receives the events of a folder that took the place of another', async () => {
    const add = vi.spyOn(FSWatcher.prototype, 'add');
    const running = start();
    await until(() => expect(add).toHaveBeenCalledTimes(1));
    await rename(folder, `${folder}-old`);
    await mkdir(folder);
    running.look();
    await until(() => expect(add).toHaveBeenCalledTimes(2));
    await pass();
    await putFile('one');
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
  });

  it('asks for events anew when the folder itself has gone, which another may have taken the number of', async () => {
    const add = vi.spyOn(FSWatcher.prototype, 'add');
    start();
    await until(() => expect(add).toHaveBeenCalledTimes(1));
    const watcher = add.mock.contexts[0] as FSWatcher;
    watcher.emit('raw', 'change', basename(folder), {});
    watcher.emit('raw', 'rename', 'other', {});
    await pass();
    expect(add).toHaveBeenCalledTimes(1);
    watcher.emit('raw', 'rename', basename(folder), {});
    await until(() => expect(add).toHaveBeenCalledTimes(2));
  });

  it('warns once when watching fails, tries it again, and carries on by re-scan', async () => {
    const add = vi.spyOn(FSWatcher.prototype, 'add').mockReturnThis();
    const running = start({ rescanMs: 30 });
    const fail = (): boolean =>
      (add.mock.contexts.at(-1) as FSWatcher).emit(
        'error',
        new Error('ENOSPC: System limit for number of file watchers reached'),
      );
    await until(() => expect(add).toHaveBeenCalledTimes(1));
    fail();
    await until(() => expect(add).toHaveBeenCalledTimes(2));
    fail();
    expect(warnings).toEqual([expect.stringContaining('ENOSPC')]);
    await putFile('one');
    await putSum('one');
    await until(() => expect(drops).toHaveLength(1));
    await running.close();
    expect(fail).not.toThrow();
  });
});

describe('closing', () => {
  it('aborts a running offer, waits for it, and may be repeated', async () => {
    const ended = vi.fn();
    const onDrop = async (drop: Drop, signal: AbortSignal): Promise<Verdict> => {
      drops.push(drop);
      const gate = createGate();
      signal.addEventListener('abort', gate.open);
      await gate.opened;
      await pass(30);
      ended();
      throw signal.reason;
    };
    await putFile('one');
    await putSum('one');
    const running = start({ onDrop });
    await until(() => expect(drops).toHaveLength(1));
    const first = running.close();
    const second = running.close();
    await first;
    expect(ended).toHaveBeenCalledTimes(1);
    await second;
    await running.close();
    expect(errors).toEqual([]);
  });

  it('ends the looks, asked for or not', async () => {
    const running = start({ rescanMs: 10 });
    await running.close();
    await putFile('one');
    await putSum('one');
    running.look();
    await pass();
    expect(drops).toHaveLength(0);
  });

  it('leaves no timer and no handle, however early it is', async () => {
    const before = handles();
    for (const ms of [0, 1, 2, 5, 20]) {
      const running = start({ rescanMs: 50 });
      await pass(ms);
      await running.close();
    }
    await until(() => expect(handles()).toEqual(before));
  });
});

it('refuses durations that a timer cannot wait', () => {
  for (const rescanMs of [0, -1, Number.NaN, 2 ** 31]) {
    expect(() => start({ rescanMs })).toThrow(RangeError);
  }
});

/** How many handles of each kind that a watcher uses are open. */
function handles(): string[] {
  const kinds = ['FSEventWrap', 'StatWatcher'];
  return process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind));
}
