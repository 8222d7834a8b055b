import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { drop, md5 } from '../support/drop.ts';
import { LoaderHarness, version } from './loader-harness.ts';

/** Generations 1 and 2 are there, and 2 serves. */
async function twoGenerations(): Promise<LoaderHarness> {
  const harness = new LoaderHarness();
  await harness.start();
  await harness.load(version(1));
  await harness.load(version(2));
  return harness;
}

describe('a rollback', () => {
  test('serves the generation before, under a new number', async () => {
    const harness = await twoGenerations();
    const { slot, record } = await harness.loader.rollback();
    expect(harness.value).toBe('1');
    expect(harness.generation).toBe(3);
    expect(slot).toBe('data00');
    expect(record).toMatchObject({ generation: 3, restores: 1, md5: md5(version(1)), keys: 1 });
    expect(harness.record('data00')).toEqual(record);
    expect(harness.logger.lines.at(-1)).toMatch(
      /^warn rolled back to the data of generation 1, which is generation 3 now; \d+\.\d{3} s$/,
    );
  });

  test('survives a restart', async () => {
    const harness = await twoGenerations();
    await harness.loader.rollback();
    expect(await harness.start()).toBe(true);
    expect(harness.value).toBe('1');
    expect(harness.generation).toBe(3);
  });

  test('can be rolled back itself, as often as one likes, over restarts also', async () => {
    const harness = await twoGenerations();
    await harness.loader.rollback();
    const { record } = await harness.loader.rollback();
    expect(harness.value).toBe('2');
    expect(record).toMatchObject({ generation: 4, restores: 2 });
    await harness.start();
    expect(harness.value).toBe('2');
    // It still says which generation this was at first.
    expect((await harness.loader.rollback()).record).toMatchObject({ generation: 5, restores: 1 });
    expect(harness.value).toBe('1');
  });

  test('leaves the slot that was rolled away from to the next file', async () => {
    const harness = await twoGenerations();
    await harness.loader.rollback();
    await harness.load(version(3));
    expect(harness.value).toBe('3');
    expect(harness.generation).toBe(4);
    expect(harness.record('data01').generation).toBe(4);
    await harness.loader.rollback();
    expect(harness.value).toBe('1');
  });

  test('goes to a slot that the Go program filled', async () => {
    const harness = new LoaderHarness();
    for (const [slot, v] of [
      ['data00', 1],
      ['data01', 2],
    ] as const) {
      mkdirSync(join(harness.base, slot));
      writeFileSync(join(harness.base, slot, 'data.db'), version(v));
      utimesSync(join(harness.base, slot, 'data.db'), v, v);
      writeFileSync(join(harness.base, slot, 'data.db.md5'), md5(version(v)));
    }
    await harness.start();
    expect(harness.value).toBe('2');
    const { record } = await harness.loader.rollback();
    expect(record).toMatchObject({ generation: 3, restores: 2 });
    expect(harness.value).toBe('1');
    await harness.start();
    expect(harness.value).toBe('1');
    expect(harness.generation).toBe(3);
  });

  test('needs no file, as often as one likes', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    for (const v of [1, 2, 3]) await harness.load(version(v));
    for (const slot of ['data00', 'data01']) {
      writeFileSync(join(harness.base, slot, 'data.db'), 'no data');
    }
    for (const value of ['2', '3', '2']) {
      await harness.loader.rollback();
      expect(harness.value).toBe(value);
    }
    // A file that is refused takes nothing away.
    await harness.load('[]');
    await harness.loader.rollback();
    expect(harness.value).toBe('3');
  });

  test('has two tables mapped at most, and none when it is over', async () => {
    const maps = (base: string): number => {
      const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
      return lines.filter((line) => line.includes(base) && !line.includes('-lock')).length;
    };
    const harness = new LoaderHarness();
    await harness.start();
    for (const v of [1, 2, 3]) await harness.load(version(v));
    for (let i = 0; i < 3; i++) await harness.loader.rollback();
    expect(maps(harness.base)).toBe(2);
    await harness.end();
    expect(maps(harness.base)).toBe(0);
  });

  test('is kept among the events', async () => {
    const harness = await twoGenerations();
    await harness.loader.rollback();
    const kinds = harness.loader.events.events.map(({ kind }) => kind);
    expect(kinds).toEqual(['serving', 'serving', 'serving', 'rolled back']);
  });
});

test('a FIFO in the place of a file that is to be written holds up neither a start nor a rollback', async () => {
  const harness = await twoGenerations();
  const names = ['.writable.tmp', 'generation.json.tmp', 'data.db.md5.tmp', 'data.db.incoming'];
  const paths = ['data00', 'data01'].flatMap((slot) => names.map((name) => join(slot, name)));
  const putFifos = (): void => {
    for (const path of [...paths, 'events.json.tmp']) {
      rmSync(join(harness.base, path), { force: true });
      execFileSync('mkfifo', [join(harness.base, path)]);
    }
  };
  putFifos();
  await harness.start();
  expect(harness.value).toBe('2');
  putFifos();
  await harness.loader.rollback();
  expect(harness.value).toBe('1');
  await harness.load(version(3));
  expect(harness.value).toBe('3');
  await harness.end();
});

describe('a rollback is refused, and what serves is served on', () => {
  async function expectRefusal(harness: LoaderHarness, why: RegExp, value?: string): Promise<void> {
    const served = harness.served.length;
    await expect(harness.loader.rollback()).rejects.toMatchObject({
      code: 'ROLLBACK_REFUSED',
      message: expect.stringMatching(why),
    });
    expect(harness.value).toBe(value);
    expect(harness.served).toHaveLength(served);
  }

  test('when nothing serves', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await expectRefusal(harness, /^there is no rollback: nothing serves yet$/);
  });

  test('when there is no generation before', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(version(1));
    await expectRefusal(harness, /slot data01 holds no generation to go back to$/, '1');
  });

  test('when the generation before was deleted, as was asked for', async () => {
    const harness = new LoaderHarness({ keepPrevious: 'no' });
    await harness.start();
    await harness.load(version(1));
    await harness.load(version(2));
    expect(readdirSync(join(harness.base, 'data00'))).toEqual([]);
    await expectRefusal(harness, /slot data00 holds no generation to go back to$/, '2');
    await harness.start();
    expect(harness.value).toBe('2');
    await harness.load(version(3));
    expect(harness.generation).toBe(3);
  });

  test('when the generation before is damaged', async () => {
    const harness = await twoGenerations();
    writeFileSync(join(harness.base, 'data00', 'data.db'), version(9));
    rmSync(join(harness.base, 'data00', 'table.mdb'));
    await expectRefusal(harness, /slot data00 cannot be used: .* is damaged: .*SUM_MISMATCH/, '2');
    expect(harness.record('data00').generation).toBe(1);
  });

  test('when the slot cannot be read', async () => {
    const harness = await twoGenerations();
    const sum = join(harness.base, 'data00', 'data.db.md5');
    rmSync(sum);
    mkdirSync(sum);
    await expectRefusal(harness, /slot data00 holds no generation to go back to \(.*EISDIR/, '2');
  });

  test('when the record cannot be written', async () => {
    const harness = await twoGenerations();
    mkdirSync(join(harness.base, 'data00', 'generation.json.tmp'));
    const why =
      /^there is no rollback: the record of slot data00 cannot be written \(.*EISDIR.*generation\.json\.tmp.*\): make room/;
    await expectRefusal(harness, why, '2');
    await harness.start();
    expect(harness.value).toBe('2');
  });

  test('while a file is loaded, and while another rollback is under way', async () => {
    const harness = await twoGenerations();
    const loading = harness.load(version(3));
    await expectRefusal(harness, /a file is being loaded; ask again when it serves/, '2');
    await loading;
    const first = harness.loader.rollback();
    await expectRefusal(harness, /another rollback is under way/, '3');
    await first;
    expect(harness.value).toBe('2');
  });
});

test('a file that is dropped during a rollback is loaded after it', async () => {
  const harness = await twoGenerations();
  const rollback = harness.loader.rollback();
  await harness.load(version(3));
  await rollback;
  expect(harness.served.map(({ generation }) => generation)).toEqual([1, 2, 3, 4]);
  expect(harness.value).toBe('3');
});

describe('the base folder', () => {
  test.each([
    ['gone', (base: string) => renameSync(base, `${base}.away`), 'is gone'],
    [
      'replaced',
      (base: string) => {
        renameSync(base, `${base}.away`);
        mkdirSync(base);
      },
      'is another one than at the start',
    ],
  ])('that is %s takes no file, until it is back', async (_, take, message) => {
    const harness = await twoGenerations();
    take(harness.base);
    const expected = { code: 'FOLDER_UNUSABLE', message: expect.stringContaining(message) };
    await expect(harness.load(version(3))).rejects.toMatchObject(expected);
    await expect(harness.loader.rollback()).rejects.toMatchObject(expected);
    expect(harness.value).toBe('2');
    expect(existsSync(harness.file)).toBe(true);
    rmSync(harness.base, { recursive: true, force: true });
    renameSync(`${harness.base}.away`, harness.base);
    await harness.offer(md5(version(3)));
    expect(harness.value).toBe('3');
  });

  test('whose slots somebody removed gets them again', async () => {
    const harness = await twoGenerations();
    rmSync(join(harness.base, 'data00'), { recursive: true });
    drop(harness.file, version(3));
    await harness.load(version(3));
    expect(harness.value).toBe('3');
    expect(harness.record('data00').generation).toBe(3);
  });
});
