import { expect, test } from 'vitest';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

test('goromdb once serves keys over HTTP and to memcached clients, and ends by a signal', async () => {
  const etcd = await FakeEtcd.start();
  const listening = ['-http', '127.0.0.1:0', '-addr', '127.0.0.1:0'];
  const node = new GoromdbProcess(['once', '-etcd', etcd.url, ...listening]);
  await node.says(/listens on (\S+)/);
  const [, address] = await node.says(/answers HTTP on (\S+)/);
  const body = '{"key":"foo","value":"bar"}';
  const response = await fetch(`http://${address}/key`, { method: 'POST', body });
  expect(response.status).toBe(201);
  node.child.kill('SIGHUP');
  await node.says(/reloaded: certificates, users and the token/);
  expect((await fetch(`http://${address}/key/foo`)).status).toBe(200);
  expect(await node.kill('SIGTERM')).toBe(0);
});

test.each([
  [[], /-etcd is required/],
  [['down'], /"down" is not expected/],
  [['-etcd', 'nowhere'], /a URL such as/],
  [['-dev', '-tls-cert', 'x'], /belong together/],
])('goromdb once %j says what is wrong, and ends with 2', async (args, said) => {
  const node = new GoromdbProcess(['once', ...args]);
  expect(await node.exit()).toBe(2);
  expect(node.stderr).toMatch(said);
});

test('goromdb once ends with 1 when its address is taken', async () => {
  const etcd = await FakeEtcd.start();
  const taken = etcd.url.replace('http://', '');
  const node = new GoromdbProcess(['once', '-etcd', etcd.url, '-http', taken]);
  expect(await node.exit()).toBe(1);
  expect(node.stderr).toMatch(/cannot listen on .*choose another address with -http/);
});
