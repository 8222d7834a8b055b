import { defineConfig } from 'vitest/config';
import { longestFirst, PATIENCE, startFromBuild, WORKERS } from './vitest.config.ts';

/** Tests that need minutes by their nature; `npm test` runs some of them in a short form. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/**/*.long.ts', 'test/e2e/swap.test.ts'],
    maxWorkers: WORKERS,
    sequence: {
      sequencer: longestFirst(
        /\/(?:crash-points|upgrade|map-lifetime|hostile-clients|crash|larger-than-memory)\.long\.ts$/,
        /\/swap\.test\.ts$/,
      ),
    },
    env: { LONG: '1' },
    ...PATIENCE,
  },
});
