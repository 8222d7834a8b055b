import { expect, it } from 'vitest';
import { Rates } from '../../../src/protocol/resp/rates.ts';

function totals(commands: number): Parameters<Rates['look']>[0] {
  return { commands, bytesRead: commands * 10, bytesWritten: commands * 100 };
}

it('reports the growth since a look that was a second or more ago', () => {
  const rates = new Rates(0);
  expect(rates.look(totals(20), 2_000)).toEqual(totals(10));
  // Two tools that look at nearly the same time see the same.
  expect(rates.look(totals(20), 2_001).commands).toBeCloseTo(10, 1);
  expect(rates.look(totals(120), 4_000)).toEqual(totals(50));
});

it('reports no rate below 0 when the totals begin anew', () => {
  const rates = new Rates(0);
  rates.look(totals(100), 1_000);
  expect(rates.look(totals(1), 2_000)).toEqual(totals(0));
});
