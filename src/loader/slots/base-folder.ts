import { GoromdbError, messageOf } from '../../common/errors.ts';
import { folderKey } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import { prepareSlots } from './prepare.ts';
import { checkSlot, makeSlot, writersWarning } from './slot-folder.ts';
import { readSlots, SLOT_NAMES, type SlotName } from './slots.ts';

/** The folder that the slots are in, as it was at the start. */
export class BaseFolder {
  readonly path: string;
  /** Tells it from another one at its path. */
  #key: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the slots' folders. When that fails and a slot holds data, it is served nevertheless.
   *
   * @throws GoromdbError FOLDER_UNUSABLE.
   */
  async prepare(logger: Logger): Promise<void> {
    this.#key = await folderKey(this.path);
    // Nothing is read either of a slot that somebody else has put there.
    for (const name of SLOT_NAMES) await checkSlot(this.path, name);
    try {
      await prepareSlots(this.path);
    } catch (error) {
      const slots = await readSlots(this.path, () => {});
      if (slots.length === 0) throw error;
      logger.error(`${messageOf(error)}. What the slots hold is served; new files are not taken`);
    }
    const warning = await writersWarning(this.path);
    if (warning !== undefined) logger.warn(warning);
  }

  /** Makes sure of a slot before something is written there. @throws GoromdbError FOLDER_UNUSABLE. */
  async openSlot(name: SlotName): Promise<void> {
    await this.check();
    await makeSlot(this.path, name);
  }

  /**
   * A folder that was unmounted leaves another one at its path. What is put there is gone from sight
   * when the right one is back, and an older generation would be served at the next start.
   *
   * @throws GoromdbError FOLDER_UNUSABLE.
   */
  async check(): Promise<void> {
    const key = await folderKey(this.path);
    if (key === this.#key) return;
    const found = key === undefined ? 'is gone' : 'is another one than at the start';
    const message = `the base folder ${this.path} ${found}: bring it back, or restart the server`;
    throw new GoromdbError('FOLDER_UNUSABLE', message);
  }
}
