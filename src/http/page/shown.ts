/** What tiles of the server and of its data sets show. */
import { latencyText, shareText, shortText } from '../../page/browser/figures.ts';
import type { Shown } from '../../page/browser/tile.ts';
import type { Point } from './history.ts';

/** Keys that clients have looked up. */
export const LOOKUPS: Shown<Point> = {
  title: 'Lookups a second',
  lines: [({ gets }) => gets],
  ...{ text: shortText, least: 1 },
};

export const HIT_RATE: Shown<Point> = {
  title: 'Hit rate',
  lines: [({ hitRate }) => hitRate],
  ...{ text: shareText, least: 1 },
  // Most are close to 100 %, where a small change matters.
  from: (lowest) => Math.max(0, Math.floor(lowest * 10 - 1e-9) / 10),
};

/** Of what was measured of requests. */
export const LATENCY: Shown<Point> = {
  title: 'Latency, p99',
  second: 'median',
  lines: [({ p99 }) => p99, ({ p50 }) => p50],
  ...{ text: latencyText, least: 1e-5, isRare: true },
};
