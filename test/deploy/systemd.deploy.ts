/** The unit of systemd, its installation, and the rotation of a log. */
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readChecked } from '../../src/cli/config/config-file.ts';
import { temporaryFolder } from '../support/folder.ts';
import { ROOT, run } from './program.ts';

/** Tenths of systemd's scale from 0, all is closed, to 10. */
const EXPOSURE_MAX = 20;

const INSTALL = join(ROOT, 'deploy/systemd/install.sh');

/** Installs to a folder; the program that it finds on its path is a stand-in. */
function installed(): string {
  const root = temporaryFolder();
  const bin = join(root, 'usr/local/bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'goromdb'), '#!/bin/sh\n');
  chmodSync(join(bin, 'goromdb'), 0o755);
  const env = { DESTDIR: root, PATH: `${bin}:${process.env.PATH}` };
  expect(run('sh', [INSTALL], { env })).toEqual({ code: 0, text: '' });
  return root;
}

it('the units are such as systemd accepts, and the service gives away little', () => {
  const units = join(installed(), 'etc/systemd/system');
  const unit = join(units, 'goromdb.service');
  for (const name of ['goromdb.socket', 'goromdb-http.socket', 'goromdb.service']) {
    const verified = run('systemd-analyze', ['verify', '--man=no', join(units, name)]);
    expect(verified).toEqual({ code: 0, text: '' });
  }
  const { code, text } = run('systemd-analyze', [
    ...['security', '--offline=true', `--threshold=${EXPOSURE_MAX}`, '--no-pager', unit],
  ]);
  expect(code, text).toBe(0);
});

it('the installation puts all in place, and keeps a configuration that is there', () => {
  const root = installed();
  const config = join(root, 'etc/goromdb/goromdb.toml');
  expect(statSync(config).mode & 0o777).toBe(0o640);
  const unit = readFileSync(join(root, 'etc/systemd/system/goromdb.service'), 'utf8');
  expect(unit).toContain(
    `\nExecStart=${root}/usr/local/bin/goromdb -config /etc/goromdb/goromdb.toml\n`,
  );
  writeFileSync(config, '# mine\n');
  const env = { DESTDIR: root, PATH: `${join(root, 'usr/local/bin')}:${process.env.PATH}` };
  expect(run('sh', [INSTALL], { env }).code).toBe(0);
  expect(readFileSync(config, 'utf8')).toBe('# mine\n');
  // Both read what they are given, and change nothing.
  const users = join(root, 'etc/sysusers.d/goromdb.conf');
  expect(run('systemd-sysusers', ['--dry-run', users]).code).toBe(0);
  expect(readFileSync(users, 'utf8')).toMatch(/^u goromdb /m);
});

it('the installation is refused without the program, and for one in a home folder', () => {
  const env = { DESTDIR: temporaryFolder(), PATH: '/usr/bin:/bin' };
  expect(run('sh', [INSTALL], { env })).toMatchObject({ code: 1 });
  const bin = temporaryFolder();
  symlinkSync('/root/goromdb', join(bin, 'goromdb'));
  expect(run('sh', [INSTALL], { env: { ...env, PATH: `${bin}:/usr/bin:/bin` } }).code).toBe(1);
});

it('tmpfiles makes the drop folder for producers of the group', () => {
  const root = temporaryFolder();
  mkdirSync(join(root, 'etc'));
  mkdirSync(join(root, 'srv'));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\ngoromdb:x:990:990::/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ngoromdb:x:990:\n');
  const file = join(ROOT, 'deploy/systemd/tmpfiles.conf');
  const { code, text } = run('systemd-tmpfiles', ['--create', `--root=${root}`, file]);
  expect(code, text).toBe(0);
  const { mode, gid } = statSync(join(root, 'srv/goromdb/drop'));
  expect([mode & 0o7777, gid]).toEqual([0o2770, 990]);
});

it('the configuration is one that the server takes', async () => {
  const { plan } = await readChecked(join(ROOT, 'deploy/systemd/goromdb.toml'));
  expect(plan.dataSets).toHaveLength(1);
  expect(plan.dataSets[0]).toMatchObject({ file: '/srv/goromdb/drop/data.db' });
});

it('logrotate takes its file', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'goromdb');
  // It refuses what others may write to, and users that are not on this machine.
  const text = readFileSync(join(ROOT, 'deploy/logrotate/goromdb'), 'utf8');
  writeFileSync(file, text.replace('su goromdb goromdb', 'su root root'), { mode: 0o644 });
  const { code, text: said } = run('/usr/sbin/logrotate', ['-d', file]);
  expect(code, said).toBe(0);
  expect(said).not.toMatch(/error/);
  expect(said).toMatch(/rotating pattern: \/var\/log\/goromdb\/\*\.log .*\(14 rotations\)/);
});
