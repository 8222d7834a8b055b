import { randomInt } from 'node:crypto';
import process from 'node:process';
import { defineConfig } from 'vitest/config';
import { PATIENCE } from './vitest.config.ts';

const seed = process.env.SEED ?? String(randomInt(1e9));
process.stdout.write(`The first mutant has SEED=${seed}: set it to repeat this run.\n`);

/** Tens of thousands of mutants of the fixtures, where `npm test` tries a few thousand. */
export default defineConfig({
  test: {
    include: ['test/storage/scanners/*-mutants.test.ts'],
    env: { MUTANTS: process.env.MUTANTS ?? '350', SEED: seed },
    ...PATIENCE,
  },
});
