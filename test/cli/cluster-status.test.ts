import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { askNodes } from '../../src/cli/cluster/cluster-status.ts';
import type { Asking } from '../../src/cli/remote/memcached-stats.ts';
import { readStatsStatus } from '../../src/cli/remote/remote-status.ts';
import { type Address, formatAddress } from '../../src/common/address.ts';
import type { AccessOptions } from '../../src/server/access.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { Topology } from '../../src/shards/shards.ts';
import { readShards } from '../../src/shards/shards-file.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePorts } from '../support/free-ports.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';
import { tableOf } from '../support/storages.ts';

const pem = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));

const CERTIFICATE = { certFile: pem('server.pem'), keyFile: pem('server.key') };
const TRUSTING = ['-tls-ca', pem('ca.pem')];
const SHOWING = ['-tls-cert', pem('client.pem'), '-tls-key', pem('client.key')];

/** The users file of nodes, of which the first user is asked as. */
function users(): string {
  const path = join(temporaryFolder(), 'users');
  writeFileSync(path, 'ann:secret\nben:other\n');
  return path;
}

/** shards.toml of one shard, with a node. */
async function serve(access: AccessOptions): Promise<string> {
  const server = createServer({ storage: tableOf([['a', 'value']]), access });
  onTestFinished(() => server.close(0));
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const path = join(temporaryFolder(), 'shards.toml');
  const port = address.kind === 'tcp' ? address.port : 0;
  writeFileSync(path, `[[shards]]\nname = "s"\nidx = 0\naddress = "127.0.0.1:${port}"\n`);
  return path;
}

/** What a command line asks for. */
function requestOf(line: readonly string[]): unknown {
  const invocation = parseCommandLine(line, '1') as {
    readonly task?: { readonly request: unknown };
  };
  return invocation.task?.request;
}

/** What is found of that node. */
async function ask(shards: string, ...flags: readonly string[]) {
  const line = ['cluster', 'status', '-shards', shards, ...flags];
  const { topology, asking } = requestOf(line) as { topology: Topology; asking: Asking };
  const [state] = await askNodes(topology, asking);
  return state;
}

const WELL = { serving: { keys: 1 }, isSame: true };

test('nodes that want a login are asked with the first of a user file', async () => {
  const userFile = users();
  const shards = await serve({ userFile });
  expect(await ask(shards, '-auth-file', userFile)).toMatchObject(WELL);
  expect((await ask(shards)).fault).toMatch(/unauthenticated.*for one with a login .*-auth-file/);
  const others = join(temporaryFolder(), 'users');
  writeFileSync(others, 'ann:wrong\n');
  expect((await ask(shards, '-auth-file', others)).fault).toMatch(/authentication failure/);
});

test('nodes that want TLS are asked by it', async () => {
  const shards = await serve({ tls: CERTIFICATE });
  expect(await ask(shards, ...TRUSTING)).toMatchObject(WELL);
  expect((await ask(shards, '-tls')).fault).toMatch(/unable to verify|self.signed/);
  expect((await ask(shards)).fault).toMatch(/no answer|-tls or -tls-ca/);
});

test('nodes that want a certificate and a login get both', async () => {
  const userFile = users();
  const tls = { ...CERTIFICATE, clientCaFile: pem('ca.pem') };
  const shards = await serve({ userFile, tls });
  const flags = [...TRUSTING, ...SHOWING, '-auth-file', userFile];
  expect(await ask(shards, ...flags)).toMatchObject(WELL);
  expect((await ask(shards, ...TRUSTING, '-auth-file', userFile)).fault).toBeDefined();
});

test('of a node that does not answer it is not said that its data is the same', async () => {
  const [port] = await freePorts(1);
  const path = join(temporaryFolder(), 'shards.toml');
  writeFileSync(path, `[[shards]]\nname = "s"\nidx = 0\naddress = "127.0.0.1:${port}"\n`);
  const state = await ask(path);
  expect(state.fault).toMatch(/ECONNREFUSED/);
  expect(state).not.toHaveProperty('isSame');
});

test('goromdb status asks a server so, too', async () => {
  const userFile = users();
  const tls = { ...CERTIFICATE, clientCaFile: pem('ca.pem') };
  const [{ nodes }] = readShards(await serve({ userFile, tls })).shards;
  const flags = [...TRUSTING, ...SHOWING, '-auth-file', userFile];
  const line = ['status', formatAddress(nodes[0].address), ...flags];
  const { place, asking } = requestOf(line) as { place: Address; asking: Asking };
  const { sets } = await readStatsStatus(place, asking);
  expect(sets).toMatchObject([{ serving: { keys: 1 } }]);
});

test.each([
  [['status', '-basedir', '/d', '-tls'], '-tls: it is for HOST:PORT'],
  [['status', 'http://h:1', '-auth-file', 'u'], '-auth-file: it is for HOST:PORT, not for a URL'],
  [['status', 'h:1', '-tls-key', 'k'], '-tls-cert and -tls-key belong together'],
  [['status', 'h:1', '-tls-ca', '/none/ca.pem'], 'cannot read the CA /none/ca.pem'],
])('goromdb %j is refused', (line, message) => {
  expect(parseCommandLine(line, '1')).toMatchObject({
    kind: 'usage-error',
    message: expect.stringContaining(message),
  });
});
