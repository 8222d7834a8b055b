import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { prepareSlots } from '../../src/loader/slots/base-folder.ts';
import { emptySlot, install } from '../../src/loader/slots/install.ts';
import { rollBackStopped } from '../../src/loader/slots/offline-rollback.ts';
import {
  leastNeededSlot,
  newestGeneration,
  otherSlot,
  readSlots,
  type SlotName,
} from '../../src/loader/slots/slots.ts';
import { drop, md5 } from '../support/drop.ts';
import type { FaultyDisk } from '../support/faulty-disk.ts';
import { temporaryFolder } from '../support/folder.ts';
import { BaseFolder, identify, recordOf } from './base-folder.ts';

const shared = vi.hoisted(() => ({ disk: undefined as FaultyDisk | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const { FaultyDisk } = await import('../support/faulty-disk.ts');
  shared.disk = new FaultyDisk();
  return shared.disk.wrap(await importOriginal());
});

const RUNS = 60;
const COMMANDS_MAX = 25;
/** An installation has fewer steps: some crashes come too late to happen. */
const STEPS_MAX = 20;

/** A generation, as simple as can be. */
interface Generation {
  readonly number: number;
  readonly content: string;
  readonly isDamaged: boolean;
}

/** What should be: what serves, what a rollback would go to, and the highest number ever served. */
interface Model {
  serving: Generation | undefined;
  previous: Generation | undefined;
  highest: number;
  next: number;
}

/** The slots on a disk, and as much of a loader as chooses between them. */
class Real {
  readonly base = new BaseFolder();
  readonly file = join(temporaryFolder(), 'data.json');
  serving: SlotName | undefined;

  /** As a start does: the newest slot whose file has its sum. */
  async start(): Promise<{ content: string; number: number } | undefined> {
    await prepareSlots(this.base.path);
    const slots = await readSlots(this.base.path, () => {});
    const found = slots.find(({ name, md5: sum }) => md5(this.base.content(name)) === sum);
    this.serving = found?.name;
    if (found === undefined) return undefined;
    return { content: this.base.content(found.name), number: found.record!.generation };
  }

  async install(number: number, content: string): Promise<void> {
    drop(this.file, content);
    const slots = await readSlots(this.base.path, () => {});
    const slot = this.serving ? otherSlot(this.serving) : leastNeededSlot(slots);
    const record = recordOf(number, content);
    this.base.bringTable(slot);
    await install(this.base.path, slot, { file: this.file, identity: identify(this.file), record });
    this.serving = slot;
  }
}

type Command = fc.AsyncCommand<Model, Real>;

/** A command with a name for the report of a failure. */
function command(
  name: string,
  check: (model: Model) => boolean,
  run: (model: Model, real: Real) => Promise<void>,
): Command {
  return {
    check,
    run: async (model, real) => {
      shared.disk!.set();
      await run(model, real);
    },
    toString: () => name,
  };
}

function contentOf(model: Model): string {
  return `content ${model.next++}`;
}

function served(model: Model, content: string): void {
  const number = model.highest + 1;
  model.previous = model.serving;
  model.serving = { number, content, isDamaged: false };
  model.highest = number;
}

/** After this, what serves is checked against the model. */
async function restart(model: Model, real: Real): Promise<void> {
  const { serving, previous } = model;
  const sound = [serving, previous].find((generation) => generation && !generation.isDamaged);
  const found = await real.start();
  expect(found).toEqual(sound && { content: sound.content, number: sound.number });
  if (sound !== serving) [model.serving, model.previous] = [sound, serving];
  expect(await newestGeneration(real.base.path)).toBe(model.highest);
}

const INSTALL = command(
  'install',
  () => true,
  async (model, real) => {
    const content = contentOf(model);
    served(model, content);
    await real.install(model.highest, content);
  },
);

const RESTART = command('restart', () => true, restart);

const crash = (step: number): Command =>
  command(
    `crash at step ${step}`,
    () => true,
    async (model, real) => {
      const content = contentOf(model);
      const number = model.highest + 1;
      shared.disk!.set({ failAt: step, isCrash: true });
      const isDone = await real.install(number, content).then(
        () => true,
        () => false,
      );
      shared.disk!.set();
      const slots = await readSlots(real.base.path, () => {});
      const isComplete = slots[0]?.record?.generation === number;
      if (isDone) expect(isComplete).toBe(true);
      if (isComplete) served(model, content);
      // The slot that was to take it may be empty now; the one that serves is not touched.
      else if (!slots.some(({ record }) => record?.generation === model.previous?.number)) {
        model.previous = undefined;
      }
      // A number may be lost in a crash; none is ever given away twice.
      const highest = await newestGeneration(real.base.path);
      expect(highest).toBeGreaterThanOrEqual(model.highest);
      expect(highest).toBeLessThanOrEqual(number);
      model.highest = highest;
      await restart(model, real);
    },
  );

const DAMAGE = command(
  'damage what serves',
  ({ serving }) => serving !== undefined,
  async (model, real) => {
    model.serving = { ...model.serving!, isDamaged: true };
    writeFileSync(join(real.base.path, real.serving!, 'data.db'), 'damaged');
    await restart(model, real);
  },
);

const ROLLBACK = command(
  'roll back',
  () => true,
  async (model, real) => {
    await restart(model, real);
    const { serving, previous } = model;
    const rollback = rollBackStopped(real.base.path);
    // What is newest by its number is damaged, so going back is what a start does by itself.
    const isMoot =
      previous !== undefined && serving !== undefined && previous.number > serving.number;
    if (serving === undefined || previous === undefined || (previous.isDamaged && !isMoot)) {
      await expect(rollback).rejects.toMatchObject({ code: 'ROLLBACK_REFUSED' });
      return;
    }
    const { record } = await rollback;
    const number = model.highest + 1;
    expect(record.generation).toBe(number);
    if (isMoot) model.serving = { ...serving, number };
    else [model.serving, model.previous] = [{ ...previous, number }, serving];
    model.highest = number;
    await restart(model, real);
  },
);

const DELETE = command(
  'delete the generation before',
  // The loader does this when a newer one serves only.
  ({ serving, highest }) => serving !== undefined && serving.number === highest,
  async (model, real) => {
    await emptySlot(real.base.path, otherSlot(real.serving!));
    model.previous = undefined;
  },
);

test('the slots do what a model of two generations does, through crashes and damage', async () => {
  const commands = fc.commands(
    [
      ...[INSTALL, RESTART, DAMAGE, ROLLBACK, DELETE].map((one) => fc.constant(one)),
      fc.integer({ min: 1, max: STEPS_MAX }).map(crash),
    ],
    { maxCommands: COMMANDS_MAX },
  );
  await fc.assert(
    fc.asyncProperty(commands, async (chosen) => {
      const model = { serving: undefined, previous: undefined, highest: 0, next: 1 };
      shared.disk!.set();
      const real = new Real();
      await real.start();
      await fc.asyncModelRun(() => ({ model, real }), chosen);
    }),
    { numRuns: RUNS },
  );
});
