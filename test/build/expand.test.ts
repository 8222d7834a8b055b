import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { expandInputs } from '../../src/build/expand.ts';
import { temporaryFolder } from '../support/folder.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function make(...names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
}

/** What inputs in the folder stand for, without its name. */
function expand(...inputs: readonly string[]): readonly string[] {
  const paths = inputs.map((input) => (input === '-' ? input : join(folder, input)));
  const found = expandInputs(paths, join(folder, 'out.db'));
  return found.map((path) => path.replace(`${folder}/`, ''));
}

describe('inputs', () => {
  test('are taken in their order, and what a pattern or folder means by name', () => {
    make('b/10.csv', 'b/9.csv', 'b/.hidden.csv', 'b/_meta', 'a.csv', 'a2.csv', 'A.csv', '.a.csv');
    expect(expand('b', 'a*.csv', '-')).toEqual(['b/10.csv', 'b/9.csv', 'a.csv', 'a2.csv', '-']);
    expect(expand('[!a].csv')).toEqual(['A.csv']);
    expect(expand('?/[0-8]*.csv')).toEqual(['b/10.csv']);
    expect(expand('*/9.csv', '.a*')).toEqual(['b/9.csv', '.a.csv']);
  });

  test('are not what an earlier build has written, unless it is named', () => {
    make('out.db', 'out.db.md5', 'out.db.rejected.jsonl', 'a.jsonl');
    expect(expand('.', '*.jsonl')).toEqual(['a.jsonl', 'a.jsonl']);
    expect(expand('out.db')).toEqual(['out.db']);
  });

  test('are taken as they are where such a file is there', () => {
    make('[1].csv', '1.csv', 'a+(b).csv');
    expect(expand('[1].csv', 'a+(?).csv')).toEqual(['[1].csv', 'a+(b).csv']);
  });

  test('are the parts of what Spark has finished', () => {
    make('out/part-00001-x.csv', 'out/part-00000-x.csv', 'out/.part-00000-x.csv.crc');
    expect(() => expand('out')).toThrow('expected _SUCCESS beside the parts');
    make('out/_SUCCESS');
    expect(expand('out')).toEqual(['out/part-00000-x.csv', 'out/part-00001-x.csv']);
  });

  test.each([
    ['a pattern without files', 'x*', 'expected files that match'],
    ['an empty folder', 'empty', 'expected files in the folder, found none'],
    ['a folder with folders', 'outer', 'found the folder inner'],
  ])('may not be %s', (_what, input, why) => {
    make('outer/inner/a.csv', 'empty/_x');
    expect(() => expand(input)).toThrow(why);
  });
});
