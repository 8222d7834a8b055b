/** docs/once.openapi.json, held against what a node answers. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { ROUTES } from '../../../src/once/http/routes.ts';
import { VALUE_BYTES_MAX } from '../../../src/once/limits.ts';
import type { Mishap } from '../../support/fake-etcd.ts';
import { secretFile, serveHttp, startWholeNode, storeOnFake } from '../../support/once-node.ts';

interface Documented {
  readonly $ref?: string;
  readonly headers?: Readonly<Record<string, { readonly schema: object }>>;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

interface Operation {
  readonly responses: Record<string, Documented>;
  readonly security?: readonly object[];
}

type Operations = Readonly<Record<string, Operation>>;

const DOCUMENT = JSON.parse(
  readFileSync(new URL('../../../docs/once.openapi.json', import.meta.url), 'utf8'),
);
const PATHS: Readonly<Record<string, Operations>> = DOCUMENT.paths;
const METHODS = ['get', 'head', 'post', 'put'];

/** Takes bodies of 256 MiB at one time. */
const NOT_PROVOKED = ['post /keys 503'];

const ajv = new Ajv2020({ strict: false, formats: { binary: true } }).addSchema(DOCUMENT, 'api');

/** A schema of the document, which may refer to others in it. */
function faultOf(schema: object, value: unknown): string | undefined {
  const text = JSON.stringify(schema).replaceAll('"#/', '"api#/');
  const validate = ajv.compile(JSON.parse(text));
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}

function documented(method: string, path: string, status: number): Documented | undefined {
  const found = PATHS[path]?.[method]?.responses[status];
  if (found?.$ref === undefined) return found;
  return DOCUMENT.components.responses[found.$ref.split('/').at(-1)!];
}

/** What is wrong with an answer. */
async function faultsOf(response: Response, what: Documented, isHead: boolean): Promise<unknown[]> {
  const faults: unknown[] = [];
  for (const [name, { schema }] of Object.entries(what.headers ?? {})) {
    const text = response.headers.get(name);
    const isNumber = 'type' in schema && schema.type === 'integer';
    const value = isNumber && text !== null ? Number(text) : text;
    faults.push(faultOf(schema, value) && `${name}: ${text}`);
  }
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  const body = await response.text();
  const media = what.content?.[type] ?? what.content?.['*/*'];
  if (media === undefined) faults.push(body !== '' && !isHead && `a body of ${type}`);
  else faults.push(faultOf(media.schema, type === 'application/json' ? JSON.parse(body) : body));
  return faults.filter((fault) => fault !== undefined && fault !== false);
}

test('docs/once.openapi.json has every route of a node, and says which need no login', () => {
  const served = [...ROUTES].flatMap(([path, { methods, isOpen = false }]) =>
    [...methods.keys()]
      .flatMap((method) => (method === 'GET' ? ['get', 'head'] : [method.toLowerCase()]))
      .map((method) => `${method} ${path} ${isOpen}`),
  );
  const described = Object.entries(PATHS).flatMap(([path, operations]) =>
    METHODS.filter((method) => method in operations).map((method) => {
      const isOpen = JSON.stringify(operations[method].security) === '[{}]';
      return `${method} ${path} ${isOpen}`;
    }),
  );
  expect(described.sort()).toEqual(served.sort());
});

test('every status of docs/once.openapi.json is answered as it says, and no other one', async () => {
  const { etcd, store } = await storeOnFake();
  const { url } = await startWholeNode([etcd.url]);
  const { url: guarded } = await startWholeNode([etcd.url], {
    authFile: secretFile('ann:secret\n'),
  });
  const token = await serveHttp(store, { token: () => false });
  const fails = () => Promise.reject(new Error('a fault of a test'));
  const cached = () => {
    throw new Error('a fault of a test');
  };
  const page = { type: 'text/html', headers: {}, body: '' };
  const broken = await serveHttp(
    { ...store, cached, read: fails, create: fails, createAll: fails },
    { admin: { page, facts: () => ({}) as never, overview: fails } },
  );
  const missing = new Set(
    Object.entries(PATHS).flatMap(([path, operations]) =>
      METHODS.filter((method) => method in operations).flatMap((method) =>
        Object.keys(operations[method].responses).map((status) => `${method} ${path} ${status}`),
      ),
    ),
  );
  const ask = async (
    call: `${string} ${string}`,
    expected: number,
    body?: string,
    headers: Readonly<Record<string, string>> = {},
    at = url,
  ): Promise<void> => {
    const [method, path] = call.split(' ');
    const init = { method: method.toUpperCase(), headers, ...(body !== undefined && { body }) };
    const response = await fetch(at + path, init);
    const template = path.startsWith('/key/') ? '/key/{key}' : path;
    const name = `${method} ${template} ${response.status}`;
    expect(response.status, `${name}, asked for ${call}`).toBe(expected);
    const what = documented(method, template, response.status);
    expect(what, `${name} is documented`).toBeDefined();
    const sniffing = response.headers.get('x-content-type-options');
    expect(sniffing, name).toBe(response.status === 304 ? null : 'nosniff');
    expect(await faultsOf(response, what!, method === 'head'), name).toEqual([]);
    missing.delete(name);
  };
  const wish = JSON.stringify({ key: 'foo', value: 'bar' });
  const other = JSON.stringify({ key: 'foo', value: 'baz' });
  const once = { 'if-none-match': '*' };
  const full: Mishap = { status: 429, code: 8, message: 'mvcc: database space exceeded' };

  for (const [status, body] of [
    [201, wish],
    [200, wish],
    [409, other],
    [422, '{'],
  ] as const) {
    await ask('post /key', status, body);
  }
  for (const [status, body] of [
    [201, 'bar'],
    [200, 'bar'],
    [409, 'baz'],
  ] as const) {
    await ask('put /key/put', status, body, once);
  }
  await ask('put /key/put', 428, 'bar');
  await ask('put /key/%00', 422, 'bar', once);
  await ask('post /keys', 207, `[${wish},{"key":"new","valueBase64":"/w=="}]`);
  await ask('post /keys', 422, '[]');
  await ask('post /keys', 413, JSON.stringify(Array(1_271).fill({ key: 'k', value: '' })));
  const large = 'x'.repeat(VALUE_BYTES_MAX + 1);
  await ask('post /key', 413, JSON.stringify({ key: 'k', value: large }));
  await ask('put /key/k', 413, large, once);

  const writes = [
    ['post /key', wish],
    ['post /keys', `[${wish}]`],
    ['put /key/k', 'x'],
  ] as const;
  for (const [call, body] of writes) {
    await ask(call, 401, body, once, guarded);
    await ask(call, 401, body, once, token);
    await ask(call, 403, body, { ...once, origin: 'http://elsewhere.example' });
    await ask(call, 500, body, once, broken);
  }

  await ask('get /key/foo', 206, undefined, { range: 'bytes=1-' });
  await ask('get /key/foo', 416, undefined, { range: 'bytes=9-' });
  for (const method of ['get', 'head'] as const) {
    await ask(`${method} /key/foo`, 200);
    await ask(`${method} /key/foo`, 304, undefined, once);
    await ask(`${method} /key/foo`, 412, undefined, { 'if-match': '"x"' });
    await ask(`${method} /key/none`, 404);
    await ask(`${method} /key/%00`, 422);
    await ask(`${method} /key/foo`, 500, undefined, {}, broken);
    await ask(`${method} /api/overview`, 500, undefined, {}, broken);
    const login = { authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}` };
    for (const path of ['/key/foo', '/admin', '/api/overview']) {
      await ask(`${method} ${path}`, 200);
      await ask(`${method} ${path}`, 200, undefined, login, guarded);
      await ask(`${method} ${path}`, 401, undefined, {}, guarded);
    }
    for (const path of ['/status', '/metrics', '/healthz']) {
      await ask(`${method} ${path}`, 200, undefined, {}, guarded);
    }
  }

  etcd.mishaps.set('txn', full);
  await ask('post /key', 507, JSON.stringify({ key: 'full', value: '' }));
  await ask('put /key/full', 507, '', once);
  etcd.mishaps.set('txn', 'cut-after');
  await ask('post /key', 503, JSON.stringify({ key: 'unknown', value: '' }));
  await ask('put /key/unknown', 503, '', once);
  etcd.mishaps.set('range', 'cut-before');
  await ask('get /key/none', 503);
  await ask('head /key/none', 503);

  expect([...missing]).toEqual(NOT_PROVOKED);
});
