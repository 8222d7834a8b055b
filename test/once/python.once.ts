import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { serveHttp, storeOnFake } from '../support/once-node.ts';

/** Sends all before it reads anything. */
const CLIENT = `
import http.client, json, sys
host, method, path, headers = json.loads(sys.argv[1])
connection = http.client.HTTPConnection(host)
connection.request(method, path, bytes(12 * 1024 * 1024), headers)
response = connection.getresponse()
json.load(response)
print(response.status)`;

test.each([
  ['POST', '/key', {}, 413],
  ['PUT', '/key/k', { 'if-none-match': '*' }, 413],
  ['PUT', '/key/k?q', { 'if-none-match': '*' }, 422],
  ['POST', '/key', { authorization: 'Bearer wrong' }, 401],
] as const)(
  'http.client of Python gets the answer to a large body that is refused: %s %s %j %i',
  async (method, path, headers, status) => {
    const { store } = await storeOnFake();
    const isUnauthorized = status === 401;
    const url = await serveHttp(store, isUnauthorized ? { token: () => false } : {});
    for (let i = 0; i < 5; i++) {
      const args = JSON.stringify([new URL(url).host, method, path, headers]);
      const { stdout } = await promisify(execFile)('/usr/bin/python3', ['-c', CLIENT, args]);
      expect(Number(stdout)).toBe(status);
    }
  },
);
