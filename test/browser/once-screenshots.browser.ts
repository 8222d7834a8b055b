/** Pictures of the admin page of `goromdb once`, for eyes: .cache/screenshots. One is in docs/images. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';
import type { Overview } from '../../src/once/overview.ts';
import { withBrowser } from './browser.ts';
import { after, openAdmin, STATES, showNow } from './made-up-once.ts';

const FOLDER = fileURLToPath(new URL('../../.cache/screenshots/', import.meta.url));
const WIDE = { width: 1000, height: 900 };
const PHONE = { width: 360, height: 740 };
const WINDOW_SECONDS = 300;
const STEP_SECONDS = 6;

withBrowser();
mkdirSync(FOLDER, { recursive: true });

interface Shot {
  readonly name: string;
  readonly state: Overview;
  readonly viewport?: typeof WIDE;
  readonly colorScheme?: 'light' | 'dark';
  readonly isCut?: boolean;
}

const SHOTS: readonly Shot[] = [
  { name: 'once-light', state: STATES.well },
  { name: 'once-dark', state: STATES.well, colorScheme: 'dark' },
  { name: 'once-phone', state: STATES.well, viewport: PHONE },
  { name: 'once-node-dead', state: STATES['one node dead'] },
  { name: 'once-no-quorum', state: STATES['no quorum'] },
  { name: 'once-full-phone', state: STATES['nearly full'], viewport: PHONE, colorScheme: 'dark' },
  // This one is in the docs.
  { name: 'admin-page', state: STATES.well, viewport: { width: 1000, height: 980 }, isCut: true },
];

it.each(SHOTS)('$name', async ({ name, state, viewport = WIDE, colorScheme = 'light', isCut }) => {
  const shown = await openAdmin(state, { viewport, colorScheme });
  for (let passed = STEP_SECONDS; passed <= WINDOW_SECONDS; passed += STEP_SECONDS) {
    await showNow(shown, after(state, passed));
  }
  await shown.page.screenshot({ path: `${FOLDER}${name}.png`, fullPage: isCut !== true });
});
