import { defineConfig } from 'vitest/config';

/** The comparison with a real memcached: apart, because it needs one and takes a minute. */
export default defineConfig({
  test: {
    include: ['test/reference/differential.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
