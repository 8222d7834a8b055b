import process from 'node:process';

/** Whether the tests run that take minutes: see vitest.long.config.ts. */
export const isLong = process.env.LONG !== undefined;
