import { defineConfig } from 'vitest/config';
import { PATIENCE } from './vitest.config.ts';

/** The fixtures made afresh, and the formats' own tools as oracles: they need Debian's packages. */
export default defineConfig({
  test: {
    include: ['test/fixtures/*.oracle.ts'],
    ...PATIENCE,
  },
});
