import { defineConfig } from 'vitest/config';

/** The comparison with a real memcached and Redis: apart, as it needs them and takes a minute. */
export default defineConfig({
  test: {
    include: ['test/reference/differential.ts', 'test/reference/redis.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
