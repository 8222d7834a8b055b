import { defineConfig } from 'vitest/config';

/** The fixtures made afresh, and the formats' own tools as oracles: they need Debian's packages. */
export default defineConfig({
  test: {
    include: ['test/fixtures/*.oracle.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
