/** The status page: one response, with its script and its style sheet in it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** Files of the page, as the build leaves them: modules of JavaScript, style sheets, and one of HTML. */
const FOLDER = new URL('./page/', import.meta.url);

/** In the order of their rules. */
const STYLES = ['base.css', 'server.css', 'sets.css'];

/** A response, but for its status. */
interface Page {
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const IMPORT = /^import [^;]*? from '([^']+)';\n/gm;

/**
 * The page and its policy: it runs this script and no other, asks this server and no other, and makes no
 * markup of text.
 */
export function statusPage(): Page {
  const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');
  const style = STYLES.map(read).join('');
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
 * bundler: no name means two things in this folder, and nothing is renamed in an import.
 *
 * @param read Returns the text of a file.
 */
export function joinedModules(main: string, read: (name: string) => string): string {
  const parts = new Map<string, string>();
  const add = (name: string): void => {
    if (parts.has(name)) return;
    parts.set(name, '');
    const text = read(name);
    for (const [, path] of text.matchAll(IMPORT)) add(posix.normalize(path));
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
