import type { Logger } from '../../common/log.ts';
import type { Receipts } from '../drops/receipt.ts';
import type { BaseFolder } from '../slots/base-folder.ts';
import type { EventLog } from '../slots/events.ts';
import type { FileLoads } from '../worker/file-loads.ts';
import type { Generations } from './generations.ts';
import type { SlotLoads } from './slot-loads.ts';

/** What a loader's works share; each part owns its state. */
export interface LoaderParts {
  readonly base: BaseFolder;
  readonly files: FileLoads;
  readonly slots: SlotLoads;
  readonly generations: Generations;
  readonly receipts: Receipts;
  readonly events: EventLog;
  readonly logger: Logger;
}
