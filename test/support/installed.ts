import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from './folder.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** The package as its users get it: installed from its tarball, into a folder that had nothing. */
export interface Installed {
  readonly folder: string;
  /** With the Node that runs this test first in the path, and the installed programs behind it. */
  readonly env: NodeJS.ProcessEnv;
  /** All that the tarball holds. */
  readonly files: readonly string[];
  readonly unpackedBytes: number;
}

export async function installPackage(): Promise<Installed> {
  const [packed, folder] = [temporaryFolder(), temporaryFolder()];
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', packed];
  const { stdout } = await run('npm', pack, { cwd: ROOT });
  const [{ files, unpackedSize }] = JSON.parse(stdout) as [
    { files: readonly { path: string }[]; unpackedSize: number },
  ];
  const [tarball] = readdirSync(packed);
  const temporary = join(packed, 'tmp');
  mkdirSync(temporary);
  writeFileSync(join(folder, 'package.json'), '{}');
  const programs = join(folder, 'node_modules/.bin');
  const path = [dirname(process.execPath), programs, process.env.PATH];
  const env = { ...process.env, PATH: path.join(delimiter), TMPDIR: temporary };
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
  await run('npm', ['install', ...quiet, join(packed, tarball)], { cwd: folder, env });
  return { folder, env, files: files.map(({ path: file }) => file), unpackedBytes: unpackedSize };
}
