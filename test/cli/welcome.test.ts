import { expect, test } from 'vitest';
import { welcome } from '../../src/cli/local/welcome.ts';

test('the name of a file changes no terminal, and stays on its line', () => {
  const data = { inputs: ['a\u001b[31m\nb.csv'], rows: undefined };
  const [line] = welcome(data, 1, [], undefined).trimStart().split('\n');
  expect(line).toMatch(/^goromdb serves a\S* ?b\.csv: 1 key\.$/);
  expect(line).not.toContain('\u001b');
});
