import { formatBytes } from '../../common/quantities.ts';
import type { LoaderOptions } from '../../loader/loader.ts';
import type { RunningLoad } from '../../loader/worker/progress.ts';

/** How often the line is drawn. */
const DRAW_INTERVAL_MS = 200;

/** A terminal, as far as a progress line needs one. */
export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * Shows how far a load is, in one line of a terminal that is drawn over; in a pipe it shows
 * nothing. Short loads end before the first line.
 */
export function showProgress(terminal: Terminal): NonNullable<LoaderOptions['onLoad']> {
  if (terminal.isTTY !== true) return () => {};
  let timer: NodeJS.Timeout | undefined;
  let isDrawn = false;
  const draw = ({ path, progress: { stage, bytes } }: RunningLoad): void => {
    isDrawn = true;
    terminal.write(`\r\x1b[K${path}: ${stage} ${formatBytes(bytes)}`);
  };
  return (load) => {
    clearInterval(timer);
    if (isDrawn) terminal.write('\r\x1b[K');
    isDrawn = false;
    if (load === undefined) return;
    timer = setInterval(() => draw(load), DRAW_INTERVAL_MS);
    timer.unref();
  };
}
