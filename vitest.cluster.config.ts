import { defineConfig } from 'vitest/config';
import { longestFirst, PATIENCE, startFromBuild, WORKERS } from './vitest.config.ts';

/** Many nodes and the clients of other languages: they need Debian's packages, so `npm test` leaves them out. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/cluster/**/*.cluster.ts'],
    maxWorkers: WORKERS,
    sequence: { sequencer: longestFirst(/\/redis\.cluster\.ts$/) },
    ...PATIENCE,
  },
});
