import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { startFromBuild } from './vitest.config.ts';

/** Tests that need minutes by their nature; `npm test` runs some of them in a short form. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/**/*.long.ts', 'test/e2e/swap.test.ts'],
    // They wait more than they work, and Vitest leaves one core free by default.
    maxWorkers: availableParallelism() + 1,
    env: { LONG: '1' },
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 200_000 } },
  },
});
