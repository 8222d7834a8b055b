import { defineConfig } from 'vitest/config';
import { PATIENCE } from './vitest.config.ts';

/** The clients of other languages: they need Debian's packages, so `npm test` leaves them out. */
export default defineConfig({
  test: {
    include: ['test/clients/**/*.client.ts'],
    ...PATIENCE,
  },
});
