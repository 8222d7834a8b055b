import { dirname } from 'node:path';
import { GoromdbError, messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { FileLoads } from './file-loads.ts';
import type { Generations } from './generations.ts';
import { type LoadedFile, type LoadedSlot, recordOf } from './loaded.ts';
import { installMap, MAP_NAME, removeMap } from './slot-map.ts';
import { type FilledSlot, type SlotRecord, writeRecord } from './slots.ts';

/** Loads what is in the slots already. */
export class SlotLoads {
  readonly #files: FileLoads;
  readonly #generations: Generations;
  readonly #baseDir: string;
  readonly #logger: Logger;

  constructor(files: FileLoads, generations: Generations, baseDir: string, logger: Logger) {
    this.#files = files;
    this.#generations = generations;
    this.#baseDir = baseDir;
    this.#logger = logger;
  }

  /** @throws GoromdbError SUM_MISMATCH when the file is damaged, or as the worker does. */
  async load({ path, md5, ...slot }: FilledSlot): Promise<LoadedSlot> {
    const map = slot.record?.map;
    const result = await this.#files.run({ path, md5, slotFile: path, isDrop: false, map });
    if (result.kind === 'mismatch') {
      const sums = `the slot's sum file says ${md5}, the file has ${result.found}`;
      throw new GoromdbError('SUM_MISMATCH', `${path} is damaged: ${sums}`);
    }
    if (result.kind === 'changed') {
      throw new GoromdbError('FILE_CHANGED', `${path} is being written by another program`);
    }
    return { record: await this.#recordAgain({ path, md5, ...slot }, result), result };
  }

  /** Has a slot's record say how it is served now. */
  async #recordAgain(
    { name, path, md5, record }: FilledSlot,
    result: LoadedFile,
  ): Promise<SlotRecord> {
    const { map, table } = result;
    const isAsBefore = map === undefined ? record?.map === undefined : !result.isNewMap;
    if (record !== undefined && isAsBefore) return record;
    if (map?.file === MAP_NAME) await installMap(dirname(path));
    const before = record ?? recordOf(this.#generations.nextNumber, path, md5, result);
    const next = { ...before, keys: table.keys, map };
    try {
      await writeRecord(this.#baseDir, name, next);
      if (map?.file !== MAP_NAME) await removeMap(dirname(path));
    } catch (error) {
      const why = messageOf(error);
      this.#logger.warn(`slot ${name} gets no record (${why}), and is served as it is`);
    }
    return next;
  }
}
