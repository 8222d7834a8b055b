import { GUARD_CODES } from '../common/errors.ts';
import type { LoadFigures } from '../common/status.ts';

/**
 * Counts drops by what became of them and why. What each guard has rejected is there from the start, as 0:
 * an alert sees the first one as an increase.
 */
export class LoadCounts {
  readonly #counts = new Map<string, LoadFigures>();

  constructor() {
    this.#set({ outcome: 'taken', reason: '', count: 0 });
    for (const reason of GUARD_CODES) this.#set({ outcome: 'rejected', reason, count: 0 });
  }

  get figures(): readonly LoadFigures[] {
    return [...this.#counts.values()];
  }

  add(name: `loads_${LoadFigures['outcome']}`, reason = ''): void {
    const outcome = name.slice('loads_'.length) as LoadFigures['outcome'];
    const { count = 0 } = this.#counts.get(`${outcome} ${reason}`) ?? {};
    this.#set({ outcome, reason, count: count + 1 });
  }

  #set(figures: LoadFigures): void {
    this.#counts.set(`${figures.outcome} ${figures.reason}`, figures);
  }
}
