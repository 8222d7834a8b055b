import type { Logger } from '../../common/log.ts';
import type { BaseFolder } from '../slots/base-folder.ts';
import type { EventLog } from '../slots/events.ts';
import type { FileLoads } from '../worker/file-loads.ts';
import type { OfferRules } from './admission.ts';
import type { Generations } from './generations.ts';
import type { Source } from './source.ts';

/** What a loader's jobs share; each part owns its state. */
export interface LoaderParts {
  readonly base: BaseFolder;
  readonly files: FileLoads;
  readonly generations: Generations;
  readonly source: Source;
  readonly rules: OfferRules;
  readonly events: EventLog;
  readonly logger: Logger;
}
