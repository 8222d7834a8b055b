import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/cli/config/config-file.ts';
import { temporaryFolder } from '../support/folder.ts';

function httpOf(...lines: readonly string[]) {
  const path = join(temporaryFolder(), 'goromdb.toml');
  writeFileSync(path, [...lines, '[[data-set]]', 'file = "data.json"'].join('\n'));
  return { path, http: readConfig(path).plan.http };
}

it('a configuration file says where HTTP is answered, to whom, and where the token is', () => {
  const { path, http } = httpOf(
    'http = "127.0.0.1:11280"',
    'http-host = ["ops.example", "ops"]',
    'http-prefixes = ":"',
    'http-token-file = "token"',
  );
  expect(http).toEqual({
    address: { kind: 'tcp', host: '127.0.0.1', port: 11280 },
    hosts: ['ops.example', 'ops'],
    prefixDelimiter: ':',
    tokenFile: join(path, '..', 'token'),
  });
});

it('without the key there is no HTTP', () => {
  expect(httpOf().http).toBeUndefined();
});

it.each(['http-host = "ops"', 'http-prefixes = ":"', 'http-token-file = "token"'])(
  '%s alone does nothing',
  (line) => {
    expect(() => httpOf(line)).toThrow(/belong to http: give it too/);
  },
);

it.each(['a_b/c', 'ops:8080', 'http://ops', '', ' ', 'ops\n', 'ops@x', '[::1]'])(
  'a host %j, by which nobody could ask, is refused',
  (name) => {
    const lines = ['http = "127.0.0.1:0"', `http-host = [${JSON.stringify(name)}]`];
    expect(() => httpOf(...lines)).toThrow(/the name of a host without a port/);
  },
);

it.each(['', '::', ' ', 'é'])('a delimiter %j of prefixes is refused', (text) => {
  const lines = ['http = "127.0.0.1:0"', `http-prefixes = ${JSON.stringify(text)}`];
  expect(() => httpOf(...lines)).toThrow(/one visible ASCII character/);
});
