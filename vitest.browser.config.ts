import { defineConfig } from 'vitest/config';
import { startFromBuild } from './vitest.config.ts';

/** The status page in a browser: it needs Debian's chromium, so `npm test` leaves it out. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/browser/*.browser.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 200_000 } },
    // A browser takes all processors by itself.
    fileParallelism: false,
  },
});
