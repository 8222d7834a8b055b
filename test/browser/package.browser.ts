/** The status page as it is installed from the registry. */
import { execFileSync } from 'node:child_process';
import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { openPage, withBrowser } from './browser.ts';

withBrowser();

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

it('is in the package with all that it needs', async () => {
  const folder = temporaryFolder();
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  execFileSync('npm', pack, { cwd: ROOT });
  const [archive] = readdirSync(folder);
  execFileSync('tar', ['-xzf', archive], { cwd: folder });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'package/node_modules'));
  const place = ['-file', join(folder, 'data.json'), '-basedir', join(folder, 'base')];
  const server = new GoromdbProcess(
    [...place, '-addr', '127.0.0.1:0', '-http', '127.0.0.1:0'],
    join(folder, 'package/bin/goromdb.js'),
  );
  const [, where] = await server.says(/answers HTTP on (\S+)/);
  const page = await openPage(`http://${where}/`);
  await page.getByRole('heading', { name: 'Nothing serves' }).waitFor();
});
