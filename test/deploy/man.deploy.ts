/** The pages of the manual, read by the two programs that show them, and installed with the package. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { ROOT, run } from './program.ts';

const PAGES = readdirSync(join(ROOT, 'man'));

it.each(PAGES)('%s is one that mandoc and man have nothing to say of', (page) => {
  const path = join(ROOT, 'man', page);
  expect(run('mandoc', ['-Tlint', '-Wwarning', path])).toEqual({ code: 0, text: '' });
  const env = { MANWIDTH: '80', LC_ALL: 'C.UTF-8' };
  const { code, text } = run('man', ['--warnings', '-l', '-E', 'UTF-8', path], { env });
  expect(code, text).toBe(0);
  expect(text).not.toMatch(/:\d+: (?:warning|error)/);
  expect(text).toMatch(/NAME.*SYNOPSIS.*DESCRIPTION/s);
});

it('an installed package brings them to where man looks', () => {
  const folder = temporaryFolder();
  const packed = run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]);
  expect(packed.code, packed.text).toBe(0);
  const [tarball] = readdirSync(folder);
  const prefix = join(folder, 'prefix');
  const args = ['install', '--silent', '--global', '--ignore-scripts', '--prefix', prefix];
  const installed = run('npm', [...args, join(folder, tarball)]);
  expect(installed.code, installed.text).toBe(0);
  for (const page of PAGES) expect(existsSync(join(prefix, 'share/man/man1', page))).toBe(true);
  expect(run(join(prefix, 'bin/goromdb'), ['-version']).code).toBe(0);
});
