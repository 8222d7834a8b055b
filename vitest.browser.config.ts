import { defineConfig } from 'vitest/config';
import { PATIENCE, startFromBuild } from './vitest.config.ts';

/** The status page in a browser: it needs Debian's chromium, so `npm test` leaves it out. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/browser/*.browser.ts'],
    ...PATIENCE,
    // A browser takes all processors by itself.
    fileParallelism: false,
  },
});
