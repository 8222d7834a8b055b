/** man/, made from the declarations: `npm run docs:man` writes it anew. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { nameOf, pageOf } from './man.ts';

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** The last release. */
function edition() {
  const [, version, date] = /^## \[(\d[\d.]*)\] - (\S+)$/m.exec(read('CHANGELOG.md'))!;
  return { version, date };
}

it.each(COMMANDS.map((command) => [nameOf(command), command] as const))(
  'man/%s.1 says what the declarations say: else run "npm run docs:man"',
  async (name, command) => {
    await expect(pageOf(command, edition())).toMatchFileSnapshot(`../../man/${name}.1`);
  },
);

it('there is a page for each command, and none else; they are installed with the package', () => {
  const pages = COMMANDS.map((command) => `${nameOf(command)}.1`).toSorted();
  expect(readdirSync(new URL('../../man', import.meta.url)).toSorted()).toEqual(pages);
  const { man, files } = JSON.parse(read('package.json'));
  expect(man).toEqual(pages.map((page) => `man/${page}`));
  expect(files).toContain('man');
});
