import { defineConfig } from 'vitest/config';
import { PATIENCE, startFromBuild } from './vitest.config.ts';

/** What is in deploy/, read by the programs that it is for. They are Debian's packages. */
export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/deploy/**/*.deploy.ts'],
    ...PATIENCE,
  },
});
