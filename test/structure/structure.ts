/** Holds the imports of src against the list of folders in docs/how-it-works.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

/** A folder of src, as that page lists it: bottom first. */
export interface Folder {
  /** Path in src; empty: src itself. */
  readonly path: string;
  /** What belongs there. */
  readonly sentence: string;
}

/** What a file of src imports, types too, by paths in src. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/** `from '…'` of imports and exports, and `import('…')`. What a thread is started with is no import. */
const IMPORT = /\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g;

/** The first comment of a folder's interface file. */
const INTERFACE = /^\/\*\*[\s*]*What belongs in this folder: (.*?)(?:\n \*\n.*?)?\s*\*\//s;

/** The rows of the page's list, in their order. */
export function foldersIn(page: string): readonly Folder[] {
  const [, table] = /^\| folder \| .*\n\|---.*\n((?:\|.*\n)+)/m.exec(page)!;
  const rows = table.matchAll(/^\| \**`([a-z/-]+|index\.ts)`\** \| (.+) \|$/gm);
  return [...rows].map(([, path, sentence]) => ({
    path: path === 'index.ts' ? '' : path,
    sentence,
  }));
}

/** The paths of all TypeScript files below a folder, by names. */
export function sourcesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

export function importsIn(src: string): Imports {
  return new Map(
    sourcesIn(src).map((path) => {
      const text = readFileSync(join(src, path), 'utf8');
      return [path, importedBy(text).map((to) => posix.join(dirname(path), to))];
    }),
  );
}

/** The relative paths that a file imports. */
export function importedBy(text: string): readonly string[] {
  return [...text.matchAll(IMPORT)].map(([, path]) => path);
}

/** Folders that the list lacks, or that have no files. */
export function foldersAmiss(folders: readonly Folder[], imports: Imports): readonly string[] {
  const listed = new Set(folders.map(({ path }) => path));
  const used = new Set([...imports.keys()].map(folderOf));
  return [
    ...[...used]
      .filter((path) => !listed.has(path))
      .map((path) => `src/${path} is not in the list`),
    ...[...listed].filter((path) => !used.has(path)).map((path) => `src/${path} has no files`),
  ];
}

/** Imports of a folder that does not stand above in the list. */
export function arrowsUp(folders: readonly Folder[], imports: Imports): readonly string[] {
  const ranks = new Map(folders.map(({ path }, rank) => [path, rank]));
  const rankOf = (file: string): number => ranks.get(folderOf(file)) ?? -1;
  return [...imports].flatMap(([from, targets]) =>
    targets
      .filter((to) => folderOf(to) !== folderOf(from) && rankOf(to) >= rankOf(from))
      .map((to) => `src/${from} imports src/${to}`),
  );
}

/** Files that import themselves in the end, each circle once. */
export function circles(imports: Imports): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at !== -1) found.push([...path.slice(at), file].join(' → '));
    if (at !== -1 || done.has(file)) return;
    for (const to of imports.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return found;
}

/** Folders without one file that says what belongs there, in the words of the list. */
export function sentencesAmiss(folders: readonly Folder[], src: string): readonly string[] {
  const files = sourcesIn(src);
  return folders
    .filter(({ path }) => path !== '')
    .flatMap(({ path, sentence }) => {
      const said = files
        .filter((file) => folderOf(file) === path)
        .map((file) => INTERFACE.exec(readFileSync(join(src, file), 'utf8'))?.[1])
        .filter((text) => text !== undefined)
        .map((text) => text.replaceAll(/\s*\n \*\s*/g, ' ').trim());
      const isRight = said.length === 1 && said[0].toLowerCase() === sentence.toLowerCase();
      return isRight
        ? []
        : [`src/${path}: expected "${sentence}" once, found ${JSON.stringify(said)}`];
    });
}

function folderOf(file: string): string {
  const folder = dirname(file);
  return folder === '.' ? '' : folder;
}
