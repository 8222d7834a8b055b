import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  arrowsUp,
  circles,
  foldersAmiss,
  foldersIn,
  importedBy,
  importsIn,
  sentencesAmiss,
  sourcesIn,
} from './structure.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SRC = join(ROOT, 'src');
const FOLDERS = foldersIn(readFileSync(join(ROOT, 'docs/how-it-works.md'), 'utf8'));

describe('the folders of src', () => {
  it('are those of the list in docs/how-it-works.md', () => {
    expect(FOLDERS.length).toBeGreaterThan(20);
    expect(foldersAmiss(FOLDERS, importsIn(SRC))).toEqual([]);
  });

  it('have one file each that says what belongs there, as the list does', () => {
    expect(sentencesAmiss(FOLDERS, SRC)).toEqual([]);
  });

  it('import only what is above them in the list', () => {
    expect(arrowsUp(FOLDERS, importsIn(SRC))).toEqual([]);
  });

  it('have no files that import each other in a circle', () => {
    expect(circles(importsIn(SRC))).toEqual([]);
  });

  it('are what tests import, not what is built of them', () => {
    const tests = join(ROOT, 'test');
    const built = sourcesIn(tests).filter((path) =>
      importedBy(readFileSync(join(tests, path), 'utf8')).some((to) => to.includes('/dist/')),
    );
    expect(built).toEqual([]);
  });
});

describe('the check', () => {
  const imports = importsIn(SRC);

  it('finds an arrow upwards, of a type too', () => {
    const file = 'common/errors.ts';
    const [to] = importedBy("import type { Loader } from '../loader/loader.ts';\n");
    const planted = new Map(imports).set(file, [join('common', to)]);
    expect(arrowsUp(FOLDERS, planted)).toEqual([
      'src/common/errors.ts imports src/loader/loader.ts',
    ]);
  });

  it('finds a circle, and names all files of it', () => {
    const planted = new Map(imports)
      .set('common/errors.ts', ['common/log.ts'])
      .set('common/log.ts', ['common/md5.ts'])
      .set('common/md5.ts', ['common/errors.ts']);
    expect(circles(planted)).toHaveLength(1);
    expect(circles(planted)[0].split(' → ').toSorted().slice(1)).toEqual([
      'common/errors.ts',
      'common/log.ts',
      'common/md5.ts',
    ]);
  });

  it('finds a folder that nobody has listed', () => {
    const planted = new Map(imports).set('utils/odds.ts', []);
    expect(foldersAmiss(FOLDERS, planted)).toEqual(['src/utils is not in the list']);
  });

  it.each([
    "import { a } from './a.ts';",
    "import {\n  a,\n  b,\n} from './a.ts';",
    "import type { A } from './a.ts';",
    "export { a } from './a.ts';",
    "import './a.ts';",
    "const { a } = await import('./a.ts');",
  ])('sees %s', (text) => {
    expect(importedBy(text)).toEqual(['./a.ts']);
  });
});
