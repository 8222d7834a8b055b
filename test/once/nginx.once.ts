import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { serveHttp, storeOnFake } from '../support/once-node.ts';

interface Answered {
  readonly status: number | undefined;
  readonly cache: string | string[] | undefined;
  readonly body: string;
}

/** Starts nginx as examples/once/nginx.conf says, in a folder of its own. */
async function startNginx(node: string) {
  const folder = temporaryFolder();
  const socketPath = join(folder, 'http.sock');
  const example = readFileSync(new URL('../../examples/once/nginx.conf', import.meta.url), 'utf8');
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder};`,
  );
  const config = example
    .replace('http {', `http {\naccess_log off;\n${places.join('\n')}`)
    .replace('/var/cache/nginx/once', join(folder, 'cache'))
    .replace('127.0.0.1:11000', node.replace('http://', ''))
    .replace('listen 8080', `listen unix:${socketPath}`);
  const head = `daemon off;\nmaster_process off;\npid ${join(folder, 'pid')};\n`;
  writeFileSync(join(folder, 'nginx.conf'), head + config);
  const args = ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')];
  const child = spawn('nginx', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ask = (
    path: string,
    options: http.RequestOptions = {},
    body?: string | Buffer,
  ): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const headers = { host: 'once.example', ...options.headers };
      const request = http.request({ socketPath, path, ...options, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => {
          const { statusCode: status, headers } = response;
          resolve({ status, cache: headers['x-cache'], body: text });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  await expect
    .poll(() =>
      ask('/healthz').then(
        ({ status }) => status,
        () => said,
      ),
    )
    .toBe(200);
  return { ask };
}

test('nginx answers what was found from its cache, and asks again for what was absent', async () => {
  const { etcd, store } = await storeOnFake();
  const { ask } = await startNginx(await serveHttp(store, { hosts: ['once.example'] }));
  expect(await ask('/key/foo')).toMatchObject({ status: 404, cache: 'MISS' });
  expect(await ask('/key/foo')).toMatchObject({ status: 404, cache: 'MISS' });
  const created = await ask('/key', { method: 'POST' }, '{"key":"foo","value":"0123456789"}');
  expect(created.status).toBe(201);
  expect(await ask('/key/foo')).toEqual({ status: 200, cache: 'MISS', body: '0123456789' });
  const asked = store.figures.gets;
  for (let i = 0; i < 100; i++) {
    expect(await ask('/key/foo')).toEqual({ status: 200, cache: 'HIT', body: '0123456789' });
  }
  const part = await ask('/key/foo', { headers: { range: 'bytes=2-4' } });
  expect(part).toEqual({ status: 206, cache: 'HIT', body: '234' });
  expect(store.figures.gets).toBe(asked);
  etcd.close();
  expect(await ask('/key/foo')).toMatchObject({ status: 200, cache: 'HIT' });
});

test('nginx keeps no answer that says that nothing can be said now', async () => {
  const { etcd, store } = await storeOnFake();
  etcd.put('/goromdb/once/foo', '\x01\0\0\0\0\0bar');
  const { ask } = await startNginx(await serveHttp(store));
  etcd.mishaps.set('range', 'cut-before');
  expect(await ask('/key/foo')).toMatchObject({ status: 503, cache: 'MISS' });
  etcd.mishaps.clear();
  expect(await ask('/key/foo')).toEqual({ status: 200, cache: 'MISS', body: 'bar' });
});
