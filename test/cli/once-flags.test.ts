import { describe, expect, test } from 'vitest';
import { type NodeRequest, walkThrough } from '../../src/cli/once/node.ts';
import { flagsOf } from '../../src/cli/once/trial-run.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';

function requestOf(...args: string[]): { readonly node: NodeRequest } {
  const found = parseCommandLine(['once', ...args], '1');
  if (found.kind !== 'task') throw new Error('message' in found ? found.message : found.text);
  return found.task.request as { node: NodeRequest };
}

describe('the nodes of goromdb once up', () => {
  const ALL = [
    ...['-warm', '-stale-reads', '-cache-size', '3MiB', '-prefix', '/p/', '-auth-file', 'users'],
    ...['-http', '127.0.0.1:1200', '-addr', 'unix:/s', '-http-token-file', 'token'],
    ...['-http-host', 'a.example', '-http-host', 'b.example', '-allow', '127.0.0.1,10.0.0.0/8'],
    ...['-tls-cert', 'cert', '-tls-key', 'key', '-tls-client-ca', 'ca'],
  ];

  test.each([[[]], [ALL], [['-cache-size', 'max', '-http', '/socket']]])(
    'are given the flags %j',
    (flags) => {
      const { node } = requestOf('up', ...flags);
      const own = requestOf('-etcd', 'http://127.0.0.1:1', ...flagsOf(node, 0)).node;
      expect({ ...own, place: { ...own.place, urls: [] } }).toEqual(node);
    },
  );

  test('have addresses that follow each other, or any that are free', () => {
    const { node } = requestOf('up', ...ALL);
    const { http, addr } = requestOf('-etcd', 'http://127.0.0.1:1', ...flagsOf(node, 2)).node;
    expect(http).toMatchObject({ port: 1202 });
    expect(addr).toMatchObject({ path: '/s.2' });
    const free = requestOf('up', '-http', '127.0.0.1:0').node;
    expect(flagsOf(free, 2).slice(0, 2)).toEqual(['-http', '127.0.0.1:0']);
  });
});

describe('what a trial says to type', () => {
  const TCP = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;

  test('has what the flags make necessary', () => {
    const tls = ['-tls-cert', '/c', '-tls-key', '/k'];
    const withToken = requestOf('-dev', ...tls, '-http-token-file', '/t').node;
    const [post, get] = walkThrough(withToken, TCP).split('\n');
    expect(post).toMatch(
      /^ {2}curl --cacert \/c -H "Authorization: Bearer \$\(cat \/t\)" -XPOST https:/,
    );
    expect(get).toMatch(/^ {2}curl --cacert \/c https:/);
    const withLogins = requestOf('-dev', '-auth-file', '/a', '-http-token-file', '/t').node;
    expect(walkThrough(withLogins, TCP)).toMatch(/^ {2}curl -u USER:PASSWORD -XPOST http:/);
  });

  test('asks a UNIX socket as curl does, and leads no browser there', () => {
    const said = walkThrough(requestOf('-dev').node, { kind: 'unix', path: '/s' });
    expect(said).toMatch(/\n {2}curl --unix-socket \/s http:\/\/localhost\/key\/foo\n$/);
  });
});

test.each([
  [
    ['up', '-etcd', 'http://127.0.0.1:1'],
    /goromdb: -etcd is not for a trial, which has an etcd of its own/,
  ],
  [['-dev', '-etcd-login-file', 'x'], /goromdb: -etcd-login-file is not for a trial/],
  [['up', '-etcd-ca', 'x'], /goromdb: -etcd-ca is not for a trial/],
  [
    ['up', '-announce', 'http://127.0.0.1:1'],
    /goromdb: -announce is not for up: no two nodes have one URL/,
  ],
  [['up', '-dev'], /goromdb: -dev is a trial with one node, and up with several/],
  [['-dev', '-tls-client-ca', 'x'], /goromdb: -tls-client-ca: it needs -tls-cert and -tls-key/],
  [['-dev', '-http', '/s', '-allow', '::1'], /goromdb: -allow: unix:\/s is a UNIX socket/],
  [['-dev', '-cache-size', '0'], /goromdb: -cache-size: "0" is not allowed; expected a size of at/],
  [['-etcd', 'http://127.0.0.1:1', '-etcd-cert', 'c'], /goromdb: -etcd-cert and -etcd-key belong/],
  [['-etcd', 'http://127.0.0.1:1', '-etcd-key', 'k'], /goromdb: -etcd-cert and -etcd-key belong/],
  [['-dev', '-nodes', '2'], /goromdb: -nodes is for up/],
])('goromdb once %j is refused, and why', (args, said) => {
  expect(() => requestOf(...args)).toThrow(said);
});

test('the login in a URL that is wrong is not shown', () => {
  for (const url of [
    'ftp://root:s/ecret@h',
    'http://root:s@ecret@h:99999',
    'root:s://ecret@h:99999',
  ]) {
    const found = parseCommandLine(['once', '-etcd', url], '1');
    expect(found).toMatchObject({
      kind: 'usage-error',
      message: expect.stringMatching(/"((ftp|http):\/\/)?\.\.\.@h(:99999)?" is not allowed/),
    });
    expect(JSON.stringify(found)).not.toMatch(/root|ecret/);
  }
});
