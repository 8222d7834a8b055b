import { defineConfig } from 'vitest/config';
import { startFromBuild } from './vitest.config.ts';

/** Many nodes and the clients of other languages: they need Debian's packages, so `npm test` leaves them out. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/cluster/**/*.cluster.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 200_000 } },
  },
});
