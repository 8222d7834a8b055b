import { defineConfig } from 'vitest/config';
import { startFromBuild } from './vitest.config.ts';

/** What is in deploy/, read by the programs that it is for. They are Debian's packages. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/deploy/**/*.deploy.ts'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 200_000 } },
  },
});
