import process from 'node:process';
import { oneLine } from '../../common/log.ts';

/** Cells of the bar. */
const BAR_CELLS = 30;

/** Draws over one line of a terminal; in a pipe, nothing. */
export class Bar {
  readonly #isShown = process.stderr.isTTY === true;
  #isDrawn = false;

  draw(percent: number, what: string): void {
    if (!this.#isShown) return;
    this.#isDrawn = true;
    const full = Math.round((percent * BAR_CELLS) / 100);
    const cells = '#'.repeat(full).padEnd(BAR_CELLS, '.');
    process.stderr.write(`\r\x1b[K[${cells}] ${String(percent).padStart(3)}% ${oneLine(what)}`);
  }

  clear(): void {
    if (this.#isDrawn) process.stderr.write('\r\x1b[K');
    this.#isDrawn = false;
  }
}
