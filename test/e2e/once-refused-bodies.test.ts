import http from 'node:http';
import { describe, expect, test } from 'vitest';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { secretFile } from '../support/once-node.ts';

const BYTES = 12 * 1024 * 1024;
const TRIES = 5;

/** Requests whose bodies are not read, and what they are answered. */
const REFUSED = [
  ['POST', '/key', {}, 413],
  ['PUT', '/key/k', { 'if-none-match': '*' }, 413],
  ['PUT', '/key/k', {}, 428],
  ['PUT', '/key/k?q', { 'if-none-match': '*' }, 422],
  ['POST', '/nowhere', {}, 404],
] as const;

type Send = (url: string, method: string, headers: Record<string, string>) => Promise<number>;

const requested: Send = (url, method, headers) => {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers });
    request.on('error', reject);
    request.on('response', (response) => resolve(response.resume().statusCode!));
    request.end(Buffer.alloc(BYTES));
  });
};

const CLIENTS: Record<string, Send> = {
  async fetch(url, method, headers) {
    const response = await fetch(url, { method, headers, body: new Uint8Array(BYTES) });
    await response.json();
    return response.status;
  },
  'http.request': (url, method, headers) => {
    return requested(url, method, { ...headers, 'content-length': String(BYTES) });
  },
  'http.request in chunks': (url, method, headers) => {
    return requested(url, method, { ...headers, 'transfer-encoding': 'chunked' });
  },
};

/** A node in a process of its own. @returns Its URL. */
async function started(...flags: readonly string[]): Promise<string> {
  const etcd = await FakeEtcd.start();
  const args = ['once', '-etcd', etcd.url, '-http', '127.0.0.1:0', ...flags];
  const [, address] = await new GoromdbProcess(args).says(/answers HTTP on (\S+)/);
  return `http://${address}`;
}

describe('a large body that is refused is answered, and the client gets the answer:', () => {
  test.each(Object.entries(CLIENTS))('%s', async (_, send) => {
    const url = await started();
    for (const [method, path, headers, status] of REFUSED) {
      for (let i = 0; i < TRIES; i++) {
        expect(await send(url + path, method, headers)).toBe(status);
      }
    }
  });

  test.each(Object.entries(CLIENTS))('%s, without the token', async (_, send) => {
    const url = await started('-http-token-file', secretFile('x'.repeat(32)));
    for (let i = 0; i < TRIES; i++) expect(await send(`${url}/key`, 'POST', {})).toBe(401);
  });
});
