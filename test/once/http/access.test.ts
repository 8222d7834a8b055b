import { expect, test } from 'vitest';
import { collectingLogger } from '../../support/collecting-logger.ts';
import { FakeEtcd } from '../../support/fake-etcd.ts';
import { secretFile, startWholeNode } from '../../support/once-node.ts';

const TOKEN = 'a-token-of-more-than-16';
const BEARER = `Bearer ${TOKEN}`;
const ANN = basic('ann:se:crét');
const FOREIGN = { origin: 'https://evil.example' };

function basic(login: string): string {
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/** Serves those who have a login, or a token. */
async function guarded(asks: 'logins' | 'token' | 'both' | 'nothing') {
  const { url: etcd } = await FakeEtcd.start();
  const logger = collectingLogger();
  const files = {
    ...(/logins|both/.test(asks) && {
      authFile: secretFile('# those who may\nann:se:crét\nbob:2\n'),
    }),
    ...(/token|both/.test(asks) && { tokenFile: secretFile(TOKEN) }),
  };
  const { url } = await startWholeNode([etcd], files, logger);
  const ask = (path: string, authorization = '', more: RequestInit = {}): Promise<Response> => {
    const headers = { ...(authorization && { authorization }), ...more.headers };
    return fetch(url + path, { ...more, headers });
  };
  const create = async (authorization = '', headers = {}): Promise<number> => {
    const body = '{"key":"k","value":"v"}';
    return (await ask('/key', authorization, { method: 'POST', body, headers })).status;
  };
  const warnings = () => logger.lines.filter((line) => line.startsWith('warn'));
  return { ask, create, warnings };
}

test('everybody reads and creates where there is neither token nor login, but for pages of other sites', async () => {
  const { ask, create } = await guarded('nothing');
  expect(await create('', FOREIGN)).toBe(403);
  expect(await create()).toBe(201);
  expect((await ask('/key/k')).status).toBe(200);
});

test('whoever has the token creates, and everybody reads', async () => {
  const { ask, create } = await guarded('token');
  const tries = ['', 'Bearer wrong', basic(TOKEN), ANN, BEARER];
  expect(await Promise.all(tries.map((one) => create(one)))).toEqual([401, 401, 401, 401, 201]);
  expect((await ask('/key/k')).status).toBe(200);
  expect(await (await ask('/api/overview')).json()).toMatchObject({ needsToken: true });
});

test('whoever has a login reads and creates, and nobody else', async () => {
  const { ask, create } = await guarded('logins');
  const wrong = ['', 'Basic', 'Basic !', basic('ann'), basic('ann:'), basic(':se:crét'), BEARER];
  for (const one of [...wrong, basic('ann:2'), basic('bob:se:crét')]) {
    expect(await create(one), one).toBe(401);
    for (const path of ['/key/k', '/admin', '/api/overview']) {
      const response = await ask(path, one);
      expect([path, response.status]).toEqual([path, 401]);
      // It has a browser ask for them.
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm="/);
    }
  }
  expect([await create(ANN), await create(basic('bob:2'))]).toEqual([201, 200]);
  for (const path of ['/key/k', '/admin', '/api/overview']) {
    expect((await ask(path, ANN)).status).toBe(200);
  }
});

test('a page of another site creates nothing by the login that a browser remembers', async () => {
  const { create } = await guarded('logins');
  expect([await create(ANN, FOREIGN), await create(ANN, { origin: 'null' })]).toEqual([403, 403]);
  expect(await create(ANN)).toBe(201);
});

test('the token stands for a login where there are both, and each of them creates', async () => {
  const { ask, create } = await guarded('both');
  expect([await create(), await create(ANN), await create(BEARER)]).toEqual([401, 201, 200]);
  expect((await ask('/key/k', BEARER)).status).toBe(200);
  const challenges = (await ask('/key/k')).headers.get('www-authenticate');
  expect(challenges).toMatch(/^Basic .*, Bearer$/);
  expect(await (await ask('/api/overview', ANN)).json()).toMatchObject({ needsToken: false });
});

test('what needs a login may not be kept by a cache that others share', async () => {
  const { ask, create } = await guarded('logins');
  await create(ANN);
  const { headers } = await ask('/key/k', ANN);
  expect(headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
  const unchanged = await ask('/key/k', ANN, { headers: { 'if-none-match': '*' } });
  expect([unchanged.status, unchanged.headers.get('cache-control')]).toEqual([
    ...[304, 'private, max-age=31536000, immutable'],
  ]);
});

test('probes, Prometheus and other nodes need no login', async () => {
  const { ask } = await guarded('logins');
  for (const path of ['/healthz', '/metrics', '/status']) {
    expect((await ask(path)).status).toBe(200);
  }
});

test('a wrong login is logged once, without a name; a missing one is not', async () => {
  const { ask, warnings } = await guarded('logins');
  await ask('/key/k');
  expect(warnings()).toEqual([]);
  await ask('/key/k', basic('ann:wrong'));
  await ask('/key/k', basic('ann:wrong'));
  expect(warnings()).toEqual([
    expect.stringMatching(/^warn HTTP from 127\.0\.0\.1 with a wrong login/),
  ]);
});
