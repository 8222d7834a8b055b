import { fstatSync, statSync } from 'node:fs';
import process from 'node:process';
import { STANDARD_INPUT } from '../../build/inputs.ts';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';

/** How often a terminal is drawn, and how often a log gets a line. */
const INTERVAL_MS = { terminal: 200, log: 10_000 } as const;

/** Where progress is shown: drawn over in a terminal, line by line in a log, nowhere in a pipe. */
export interface ProgressTarget {
  readonly kind: keyof typeof INTERVAL_MS | 'pipe';
  readonly write: (text: string) => void;
  readonly nowMs: () => number;
}

export interface BuildProgress {
  /** See `BuildRequest.onProgress`. */
  readonly onProgress: (input: string, bytes: number) => void;
  /** Removes what is drawn. */
  readonly clear: () => void;
}

/** Standard error: a file is a log. */
export function standardError(): ProgressTarget {
  const isTerminal = process.stderr.isTTY === true;
  const kind = isTerminal ? 'terminal' : fstatSync(2).isFile() ? 'log' : 'pipe';
  return { kind, write: (text) => process.stderr.write(text), nowMs: () => performance.now() };
}

/**
 * Shows how much of the inputs is read, how fast, and how long the rest will take.
 *
 * @param files All of them, in their order.
 */
export function buildProgress(files: readonly string[], target: ProgressTarget): BuildProgress {
  if (target.kind === 'pipe') return { onProgress: () => {}, clear: () => {} };
  const { show, clear } = progressLine(target);
  const sizes = files.map(sizeOf);
  const total = files.includes(STANDARD_INPUT) ? undefined : sizes.reduce((a, b) => a + b, 0);
  let file = -1;
  let before = 0;
  return {
    onProgress(input, bytes) {
      // Inputs come in their order, and one may be there twice.
      if (input !== files[file]) {
        if (file >= 0) before += sizes[file];
        file = files.indexOf(input, file + 1);
      }
      show((ms) => `${oneLine(input)}: ${progressText(before + bytes, total, ms)}`);
    },
    clear,
  };
}

/** Shows how many of so many keys are done. @param what Such as ` checked`. */
export function keysProgress(
  total: number,
  target: ProgressTarget,
  what = '',
): { readonly onProgress: (keys: number) => void; readonly clear: () => void } {
  if (target.kind === 'pipe') return { onProgress: () => {}, clear: () => {} };
  const { show, clear } = progressLine(target);
  return {
    onProgress: (keys) =>
      show((ms) => {
        const rate = Math.round((keys * 1000) / Math.max(ms, 1));
        return `${keys.toLocaleString('en-US')} of ${keysOf(total)}${what}, ${rate.toLocaleString('en-US')}/s`;
      }),
    clear,
  };
}

/** A line that is drawn over, or one after the other, and not too often. */
function progressLine({ kind, write, nowMs }: ProgressTarget): {
  readonly show: (text: (ms: number) => string) => void;
  readonly clear: () => void;
} {
  const intervalMs = kind === 'pipe' ? Number.POSITIVE_INFINITY : INTERVAL_MS[kind];
  const beginMs = nowMs();
  let shownMs = kind === 'log' ? beginMs : Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  return {
    show(text) {
      const ms = nowMs();
      if (ms - shownMs < intervalMs) return;
      shownMs = ms;
      const line = text(ms - beginMs);
      write(kind === 'log' ? `${line}\n` : `\r\x1b[K${line}`);
      isDrawn = kind === 'terminal';
    },
    clear() {
      if (isDrawn) write('\r\x1b[K');
      isDrawn = false;
    },
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** `42% of 1.2 GB, 85 MB/s, 8 s left`; without the total `500 MB, 85 MB/s`. */
export function progressText(bytes: number, total: number | undefined, ms: number): string {
  const rate = ms > 0 ? (bytes * 1000) / ms : 0;
  const speed = `${formatBytes(rate)}/s`;
  if (total === undefined || total === 0) return `${formatBytes(bytes)}, ${speed}`;
  const percent = Math.min(100, Math.floor((bytes * 100) / total));
  const left = rate > 0 ? `, ${durationText((total - bytes) / rate)} left` : '';
  return `${percent}% of ${formatBytes(total)}, ${speed}${left}`;
}

function durationText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
