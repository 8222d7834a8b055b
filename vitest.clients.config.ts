import { defineConfig } from 'vitest/config';

/** The clients of other languages: they need Debian's packages, so `npm test` leaves them out. */
export default defineConfig({
  test: {
    include: ['test/clients/**/*.client.ts'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 200_000 } },
  },
});
