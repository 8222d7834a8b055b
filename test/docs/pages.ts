/** Reads the pages of the documentation as their readers click through them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...filesIn('docs'),
  ...filesIn('examples'),
].filter((path) => path.endsWith('.md'));

export function filesIn(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
    join(folder, name),
  );
}

export function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** What a link to a heading says, as GitHub and most others make it. */
export function anchorOf(heading: string): string {
  const text = heading.trim().toLowerCase();
  return text.replace(/[^\p{Letter}\p{Number}_\- ]/gu, '').replaceAll(' ', '-');
}

/** The links of a page to files of this project: the file, and maybe `#` and a heading. */
export function linksIn(page: string): readonly string[] {
  return [...read(page).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)]
    .map(([, link, image]) => link ?? image)
    .filter((link) => !/^https?:/.test(link))
    .map((link) => (link.startsWith('#') ? `${page}${link}` : join(dirname(page), link)));
}

/** What stands under a heading, to the next one of the same or a higher level; without one, the whole page. */
export function sectionOf(place: string): string {
  const [page, anchor] = place.split('#');
  if (anchor === undefined) return read(page);
  const parts = read(page).split(/^(#{1,3} .*)$/m);
  const at = parts.findIndex(
    (part) => /^#{1,3} /.test(part) && anchorOf(part.replace(/^#+/, '')) === anchor,
  );
  if (at < 0) return '';
  const level = /^#+/.exec(parts[at])![0].length;
  const end = parts.findIndex(
    (part, i) => i > at && (/^(#{1,3}) /.exec(part)?.[1].length ?? 9) <= level,
  );
  return parts.slice(at, end < 0 ? undefined : end).join('');
}
