import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocksIn, isCommands, PAGES_RUN } from './blocks.ts';
import { anchorOf, filesIn, linksIn, PAGES, ROOT, read } from './pages.ts';

function anchorsIn(page: string): readonly string[] {
  const text = read(page).replace(/^```.*?^```/gms, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));
}

function brokenLinks(page: string): readonly string[] {
  return linksIn(page).filter((link) => {
    const [target, anchor] = link.split('#');
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsIn(target).includes(anchor);
  });
}

/** Paths in code that lead nowhere. `*` stands for any part of a name. */
function missingPaths(page: string): readonly string[] {
  const paths = [...read(page).matchAll(/`((?:src|test|bench|fixtures|examples)\/[\w./*-]+)`/g)];
  return paths
    .map(([, path]) => path)
    .filter((path) => {
      if (path.includes('NAME')) return false;
      if (!path.includes('*')) return !existsSync(join(ROOT, path));
      const pattern = new RegExp(`^${path.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
      return !filesIn(dirname(path)).some((name) => pattern.test(name));
    });
}

it('README has at most 150 lines', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

it('SECURITY.md supports the version of package.json', () => {
  const [minor] = /^\d+\.\d+/.exec(JSON.parse(read('package.json')).version)!;
  expect(read('SECURITY.md')).toContain(`| ${minor}.x, the newest minor version | yes |`);
});

describe.each(PAGES)('%s', (page) => {
  it('has no link that leads nowhere', () => {
    expect(brokenLinks(page)).toEqual([]);
  });

  it('names no file that is not there, such as a test that shows a promise', () => {
    expect(missingPaths(page)).toEqual([]);
  });

  it('shows no commands that no test runs, unless it says why', () => {
    const commands = PAGES_RUN.includes(page) ? [] : blocksIn(read(page)).filter(isCommands);
    expect(commands.map(({ at, lines: [first] }) => `line ${at}: ${first}`)).toEqual([]);
  });
});

it.each(PAGES.filter((page) => page.startsWith('docs/')))(
  '%s begins with what its reader can do or knows after it',
  (page) => {
    expect(read(page).split('\n\n').slice(1, 3).join('\n')).toMatch(
      /^(After this page you |\*\*Decided:\*\*)/m,
    );
  },
);

// The page of flags is generated: it shows help texts.
it.each(PAGES.filter((page) => page !== 'docs/flags.md'))(
  '%s calls commands sh or console, so that they are run',
  (page) => {
    const unnamed = blocksIn(read(page)).filter(({ language }) => language === '');
    const commands = unnamed.filter(({ lines: [first] }) =>
      /^(\$|goromdb|curl|npm|head) /.test(first),
    );
    expect(commands.map(({ at, lines: [first] }) => `line ${at}: ${first}`)).toEqual([]);
  },
);
