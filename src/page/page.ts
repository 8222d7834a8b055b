/**
 * What belongs in this folder: makes a page for browsers of files: one response, with its script and its
 * style sheet in it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** What all pages share, as the build leaves it. */
const SHARED = new URL('./browser/', import.meta.url);
const SHARED_STYLES = ['base.css', 'tiles.css'];

/** A response, but for its status. */
export interface Page {
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const IMPORT = /^import [^;]*? from '([^']+)';\n/gm;

/**
 * A page and its policy: it runs this script and no other, asks this server and no other, and makes no
 * markup of text.
 *
 * @param folder Has `page.html` and `main.js`, as the build leaves them.
 * @param styles Style sheets there, in the order of their rules, behind those that all pages share.
 */
export function pageOf(folder: URL, styles: readonly string[]): Page {
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
  const shared = SHARED_STYLES.map((name) => readFileSync(new URL(name, SHARED), 'utf8'));
  const style = [...shared, ...styles.map(read)].join('');
  const script = joinedModules('main.js', read);
  const policy = {
    'default-src': `'none'`,
    'script-src': sourceOf(script),
    'style-src': sourceOf(style),
    'connect-src': `'self'`,
    'img-src': 'data:',
    'base-uri': `'none'`,
    'form-action': `'none'`,
    'frame-ancestors': `'none'`,
    'require-trusted-types-for': `'script'`,
    'trusted-types': `'none'`,
  };
  const body = read('page.html')
    .replace('<style></style>', () => `<style>${style}</style>`)
    .replace('></script>', () => `>${script}</script>`);
  return {
    type: 'text/html; charset=utf-8',
    headers: {
      'content-security-policy': Object.entries(policy)
        .map((directive) => directive.join(' '))
        .join('; '),
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    },
    body,
  };
}

/**
 * A module with all that it imports, as one: each file after those that it needs. It takes the place of a
 * bundler: no name means two things in a page, and nothing is renamed in an import.
 *
 * @param read Returns the text of a file.
 */
export function joinedModules(main: string, read: (name: string) => string): string {
  const parts = new Map<string, string>();
  const add = (name: string): void => {
    if (parts.has(name)) return;
    parts.set(name, '');
    const text = read(name);
    for (const [, path] of text.matchAll(IMPORT)) add(posix.join(posix.dirname(name), path));
    // A map keeps the order in which names came: this one goes behind those that it needs.
    parts.delete(name);
    const own = text.replace(IMPORT, '').replace(/^export /gm, '');
    parts.set(name, own.replace(/^\/\/# sourceMappingURL=.*\n?/gm, ''));
  };
  add(main);
  return [...parts.values()].join('');
}

/** A source of a policy (CSP 3, section 2.3.1): what has this content. */
function sourceOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;
}
