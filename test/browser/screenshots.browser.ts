/** Pictures of the status page, for eyes: .cache/screenshots. Two of them are in docs/images. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { it } from 'vitest';
import type { Status } from '../../src/common/status.ts';
import { openPage, withBrowser } from './browser.ts';
import { emptySet, type MadeUp, startMadeUp, statusOf, troubledSet, wellSet } from './made-up.ts';

const FOLDER = fileURLToPath(new URL('../../.cache/screenshots/', import.meta.url));
const WIDE = { width: 1100, height: 1000 };
const WINDOW_SECONDS = 300;
/** Shorter steps would be more requests a second than the server answers. */
const STEP_SECONDS = 10;
const PHONE = { width: 360, height: 740 };
const MANY = Array.from({ length: 32 }, (_, i) => `set-${String(i + 1).padStart(2, '0')}`);

withBrowser();
mkdirSync(FOLDER, { recursive: true });

interface Shot {
  readonly name: string;
  readonly status: Status;
  readonly viewport?: typeof WIDE;
  readonly colorScheme?: 'light' | 'dark';
  readonly isLost?: boolean;
  readonly isOpen?: boolean;
  /** Default: all of the page, however long it is. */
  readonly isCut?: boolean;
}

/** What clients have asked of each data set. */
const SAMPLE = (
  [
    ['city:', 4100, 3],
    ['airport:', 2200, 4],
    ['postal-code:', 1400, 400],
    ['', 300, 20],
  ] as const
).flatMap(([prefix, lookups, misses]) =>
  Array.from({ length: lookups }, (_, i) => ({
    key: Buffer.from(`${prefix}${i}`),
    wasHit: i >= misses,
  })),
);

const TROUBLE = statusOf([wellSet('geo'), troubledSet('users')]);
const ONE = statusOf([wellSet('')]);
const SHOTS: readonly Shot[] = [
  { name: 'light', status: ONE },
  { name: 'dark', status: ONE, colorScheme: 'dark' },
  { name: 'phone', status: ONE, viewport: PHONE },
  { name: 'phone-dark', status: statusOf([troubledSet('')]), viewport: PHONE, colorScheme: 'dark' },
  { name: 'no-data', status: statusOf([emptySet('')]) },
  { name: 'trouble', status: TROUBLE, isOpen: true },
  { name: 'lost', status: ONE, isLost: true },
  {
    ...{ name: 'many', isCut: true },
    status: statusOf(
      MANY.map((name, i) =>
        i === 3 ? troubledSet(name) : i === 17 ? emptySet(name) : wellSet(name),
      ),
    ),
  },
  {
    name: 'many-phone',
    status: statusOf(MANY.map((name) => wellSet(name))),
    viewport: PHONE,
    isCut: true,
  },
  // These two are in the docs.
  { name: 'status-page', status: ONE, viewport: { width: 1000, height: 800 }, isCut: true },
  { name: 'status-page-phone', status: TROUBLE, viewport: PHONE, colorScheme: 'dark', isCut: true },
];

it.each(SHOTS)(
  '$name',
  async ({ name, status, viewport = WIDE, colorScheme = 'light', ...how }) => {
    const madeUp = await startMadeUp(status);
    for (const { prefix, serving } of status.dataSets) {
      if (serving !== undefined) madeUp.samples.set(prefix, SAMPLE);
    }
    const page = await openPage(madeUp.url, { viewport, colorScheme });
    await goOnFor(WINDOW_SECONDS, madeUp, page);
    if (how.isOpen) await page.locator('summary').last().click();
    if (how.isLost) {
      await madeUp.http.close();
      await page.getByText('No answer').waitFor();
    }
    await page.screenshot({ path: `${FOLDER}${name}.png`, fullPage: how.isCut !== true });
  },
);

/** Lets traffic pass, with a poll in each of its steps. */
async function goOnFor(seconds: number, madeUp: MadeUp, page: Page): Promise<void> {
  for (let passed = 0; passed < seconds; passed += STEP_SECONDS) {
    const wave = (period: number): number => Math.sin((2 * Math.PI * passed) / period);
    const rate = 18_000 + 3_500 * wave(240) + 900 * wave(35) + 400 * wave(12.7);
    const isEmpty = madeUp.status.dataSets.every(({ serving }) => serving === undefined);
    const hitRate = isEmpty ? 0 : 0.985 + 0.004 * wave(130) + 0.001 * wave(21);
    madeUp.traffic.pass(STEP_SECONDS * rate, hitRate, 0.5 + 0.4 * wave(90) + 0.1 * wave(14));
    // A poll may come by itself at any moment, and show the step before it is waited for.
    const shown = JSON.stringify(await page.locator('#updated').textContent());
    madeUp.goOn(STEP_SECONDS);
    // A tab that is seen again polls at once.
    await page.evaluate(`new Promise((resolve) => {
      const updated = document.getElementById('updated');
      const look = () => updated.textContent !== ${shown} && resolve();
      new MutationObserver(look).observe(updated, { childList: true });
      document.dispatchEvent(new Event('visibilitychange'));
      look();
    })`);
  }
}
