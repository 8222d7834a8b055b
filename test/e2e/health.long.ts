import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatAddress, parseAddress } from '../../src/common/address.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const DATA = '{"k":"1"}';

async function health(...args: readonly string[]) {
  const asked = new GoromdbProcess(['health', ...args]);
  const code = await asked.exit();
  return { code, stdout: asked.stdout, stderr: asked.stderr };
}

it('a server is not ready, then ready, then gone, over TCP and a UNIX socket', async () => {
  for (const http of ['127.0.0.1:0', join(temporaryFolder(), 'http.sock')]) {
    const folder = temporaryFolder();
    const file = join(folder, 'data.json');
    const place = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', join(folder, 'base')];
    const server = new GoromdbProcess([...place, '-http', http]);
    const [, where] = await server.says(/answers HTTP on (\S+)/);
    const addr = formatAddress(parseAddress(where));
    await server.address();
    const early = await health('-addr', addr);
    expect(early).toMatchObject({ code: 1, stdout: '' });
    expect(early.stderr).toContain('"code":"NO_DATA"');
    drop(file, DATA);
    await server.says(/generation 1 serves/);
    expect(await health('-addr', addr, '-fresh', '26h', '-md5', md5(DATA))).toEqual({
      ...{ code: 0, stdout: 'ready\n', stderr: '' },
    });
    expect((await health('-addr', addr, '-fresh', '1ms')).stderr).toContain('"code":"TOO_OLD"');
    expect(await health('-addr', addr, '-md5', md5('other'))).toMatchObject({ code: 1 });
    // SIGHUP leaves it as it is.
    await server.kill('SIGHUP');
    await server.says(/reloaded/);
    expect((await health('-addr', addr)).code).toBe(0);
    expect(await server.kill('SIGTERM')).toBe(0);
    const gone = await health('-addr', addr);
    expect(gone.code).toBe(1);
    expect(gone.stderr).toMatch(/^goromdb: no answer from /);
  }
});

it.each([
  ['-md5', '12'],
  ['-fresh', '26'],
  ['-addr', 'nowhere'],
])('%s %s is a wrong flag', async (...args) => {
  expect((await health(...args)).code).toBe(2);
});
