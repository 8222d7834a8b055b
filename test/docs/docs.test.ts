import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { blocksIn, isCommands, PAGES_RUN } from './blocks.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...filesIn('docs'),
  ...filesIn('examples'),
].filter((path) => path.endsWith('.md'));

function filesIn(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
    join(folder, name),
  );
}

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** What a link to a heading says, as GitHub and most others make it. */
function anchorOf(heading: string): string {
  const text = heading.trim().toLowerCase();
  return text.replace(/[^\p{Letter}\p{Number}_\- ]/gu, '').replaceAll(' ', '-');
}

function anchorsIn(page: string): readonly string[] {
  const text = read(page).replace(/^```.*?^```/gms, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));
}

function brokenLinks(page: string): readonly string[] {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
  return links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [file, anchor] = link.split('#');
    const target = file === '' ? page : join(dirname(page), file);
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
