import { expect, test } from 'vitest';
import { parseCommandLine } from '../support/parse-command-line.ts';

test.each([
  ['cluster', /expected one of up, status, nutcracker, .*found nothing/],
  ['cluster nix', /found "nix"/],
  ['cluster status', /-shards is required/],
  ['cluster status more -shards s.toml', /"more" is not expected/],
  ['cluster nutcracker -shards /none/s.toml', /cannot read \/none\/s.toml/],
  ['cluster status -shards s.toml -tls-cert c.pem', /cannot read s.toml/],
  ['cluster nutcracker -shards s.toml -auth-file u', /-auth-file: it is for status, not for nut/],
  ['cluster up -tls', /-tls: it is for status, not for up/],
  ['cluster up -shards 3', /-shards: expected 1, 2, 4, … 256 with up, found "3"/],
  ['cluster up -shards shards.toml', /found "shards.toml"/],
  ['cluster up -shards 32 -replicas 3', /expected at most 64 nodes, found 32 × 3/],
  ['cluster up -key id', /-key is for INPUT, and there is none/],
  ['cluster up -addr :11211', /-addr: ":11211" is not allowed; expected HOST:PORT/],
  ['cluster up -cluster-addr /a/socket', /-cluster-addr: .*expected HOST:PORT/],
])('goromdb %s is refused', (line, message) => {
  expect(parseCommandLine(line.split(' '), '1')).toMatchObject({
    kind: 'usage-error',
    message: expect.stringMatching(message),
  });
});

test('goromdb cluster up starts four shards of two nodes each', () => {
  const invocation = parseCommandLine(['cluster', 'up'], '1');
  expect(invocation).toMatchObject({
    kind: 'task',
    task: { request: { kind: 'up', trial: { shards: 4, replicas: 2, dir: undefined } } },
  });
});
