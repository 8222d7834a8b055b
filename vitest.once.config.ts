import { defineConfig } from 'vitest/config';
import { longestFirst, PATIENCE, startFromBuild, WORKERS } from './vitest.config.ts';

/** Set-once keys on a real etcd: Debian's etcd-server, so `npm test` leaves them out. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/once/**/*.once.ts'],
    maxWorkers: WORKERS,
    sequence: { sequencer: longestFirst(/\/(?:history|partition)\.once\.ts$/) },
    ...PATIENCE,
  },
});
