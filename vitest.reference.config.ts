import { defineConfig } from 'vitest/config';
import { PATIENCE } from './vitest.config.ts';

/** The comparison with a real memcached and Redis: apart, as it needs them and takes a minute. */
export default defineConfig({
  test: {
    include: ['test/reference/differential.ts', 'test/reference/redis.ts'],
    ...PATIENCE,
  },
});
