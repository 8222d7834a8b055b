import { execFile } from 'node:child_process';
import { constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readShards } from '../../src/shards/shards-file.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { waitFor } from '../support/patience.ts';
import { TextClient } from '../support/text-client.ts';

const BIN = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));
const FREE = ['-addr', '127.0.0.1:0', '-cluster-addr', '127.0.0.1:0'];

function up(dir: string, more: readonly string[] = []): GoromdbProcess {
  return new GoromdbProcess(['cluster', 'up', ...FREE, '-dir', dir, ...more]);
}

/** The pids in the grid, node by node. */
function pidsIn(text: string): readonly number[] {
  return [...text.matchAll(/pid (\d+), generation 1/g)].map(([, pid]) => Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What `goromdb cluster status` prints and ends with. */
async function statusOf(file: string): Promise<{ readonly code: number; readonly text: string }> {
  const args = [BIN, 'cluster', 'status', '-shards', file];
  return promisify(execFile)(process.execPath, args).then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    ({ code, stdout }) => ({ code, text: stdout }),
  );
}

test('a cluster of four shards and two replicas starts, goes on without one node, and ends as a whole', async () => {
  const dir = temporaryFolder();
  const cluster = up(dir);
  await cluster.says(/Each of 8 nodes has answered 43 keys right[\s\S]*Ctrl-C ends all/);
  const pids = pidsIn(cluster.stdout);
  expect(pids).toHaveLength(8);
  const manifest = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'));
  expect(manifest.totals.keys).toBe(43);
  const file = join(dir, 'shards.toml');
  expect(await statusOf(file)).toEqual({
    code: 0,
    text: expect.stringMatching(/^shard0 .*generation 1/),
  });

  const [, example] = /redis-cli -p \d+ get (\S+)/.exec(cluster.stdout)!;
  const { shards } = readShards(file);
  process.kill(pids[6], 'SIGKILL');
  await cluster.says(/shard3-0 has ended/);
  expect(await statusOf(file)).toEqual({
    code: 1,
    text: expect.stringContaining('ECONNREFUSED'),
  });
  const client = await TextClient.connect(shards[0].nodes[0].address);
  expect(await client.get([example])).toHaveLength(1);
  client.close();

  expect(await cluster.kill('SIGTERM')).toBe(0);
  await waitFor(() => expect(pids.filter(isAlive)).toEqual([]));
});

test('the folder of a cluster that runs is refused, and nothing in it changes', async () => {
  const dir = temporaryFolder();
  const more = ['-shards', '2', '-replicas', '1'];
  const first = up(dir, more);
  await first.says(/Ctrl-C/);
  const [pid] = pidsIn(first.stdout);
  const log = join(dir, 'nodes/shard0-0/log');
  const files = ['shards.toml', 'manifest.json', 'shard0.db'].map((name) => join(dir, name));
  const read = (): readonly string[] => files.map((path) => readFileSync(path, 'latin1'));
  const before = read();
  const logged = readFileSync(log, 'utf8');
  // A log that is emptied while a node writes to it has no gap.
  const [, flags] = /flags:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/2`, 'utf8'))!;
  expect(Number.parseInt(flags, 8) & constants.O_APPEND).not.toBe(0);
  const input = join(temporaryFolder(), 'users.csv');
  writeFileSync(input, 'id,name\n1,Ann\n');
  const second = up(dir, [...more, '-key', 'id', input]);
  await second.says(new RegExp(`its node shard0-0 runs \\(pid ${pid} on .*choose another -dir`));
  expect(await second.exit()).toBe(1);
  expect(read()).toEqual(before);
  expect(readFileSync(log, 'utf8').startsWith(logged)).toBe(true);
  expect(await first.kill('SIGTERM')).toBe(0);
});

test('what a folder has is served again, and other shards are refused', async () => {
  const dir = temporaryFolder();
  const more = ['-shards', '2', '-replicas', '1'];
  const input = join(dir, 'users.csv');
  writeFileSync(input, 'id,name\n1,Ann\n2,Bob\n3,Cid\n');
  const first = up(dir, [...more, '-key', 'id', input]);
  await first.says(/Each of 2 nodes has answered 3 keys right/);
  expect(await first.kill('SIGINT')).toBe(0);
  const again = up(dir, more);
  await again.says(/Each of 2 nodes has answered 3 keys right/);
  expect(await again.kill('SIGTERM')).toBe(0);
  const other = up(dir);
  await other.says(
    /expected 4 shards as goromdb split -shards 4 makes them, found 2 shards by slots/,
  );
  expect(await other.exit()).toBe(1);
});

test('a node that cannot start is named, and the others end', async () => {
  const dir = temporaryFolder();
  const first = up(dir, ['-shards', '1', '-replicas', '1']);
  await first.says(/Ctrl-C/);
  const { port } = readShards(join(dir, 'shards.toml')).shards[0].nodes[0].address;
  const other = temporaryFolder();
  const flags = ['-addr', `127.0.0.1:${port}`, '-cluster-addr', '127.0.0.1:0', '-dir', other];
  const second = new GoromdbProcess(['cluster', 'up', '-shards', '1', '-replicas', '1', ...flags]);
  await second.says(/the node shard0-0 has ended: cannot listen on .*its log is /);
  expect(await second.exit()).toBe(1);
  expect(existsSync(join(other, 'nodes/shard0-0/log'))).toBe(true);
});

test('Ctrl-C while nodes start is no fault, though it ends them, too', async () => {
  const dir = temporaryFolder();
  const cluster = up(dir, ['-shards', '2', '-replicas', '1']);
  await cluster.says(/Starts the nodes/);
  const pid = await waitFor(() => {
    const [, found] = /, pid (\d+),/.exec(readFileSync(join(dir, 'nodes/shard0-0/log'), 'utf8'))!;
    return Number(found);
  });
  cluster.child.kill('SIGSTOP');
  process.kill(pid, 'SIGKILL');
  cluster.child.kill('SIGINT');
  cluster.child.kill('SIGCONT');
  expect(await cluster.exit()).toBe(0);
  expect(cluster.stderr).toBe('');
});

test('killed, it leaves no node behind', async () => {
  const cluster = up(temporaryFolder(), ['-shards', '2', '-replicas', '1']);
  await cluster.says(/Ctrl-C/);
  const pids = pidsIn(cluster.stdout);
  expect(pids.filter(isAlive)).toHaveLength(2);
  await cluster.kill('SIGKILL');
  await waitFor(() => expect(pids.filter(isAlive)).toEqual([]));
});

test('a file of shards that others have written is not replaced', async () => {
  const dir = temporaryFolder();
  const text = '[[shards]]\nname = "a"\nidx = 0\naddress = "h:1"\n';
  writeFileSync(join(dir, 'shards.toml'), text);
  const cluster = up(dir);
  await cluster.says(/shards\.toml: expected none, or one that goromdb cluster up has made/);
  expect(await cluster.exit()).toBe(1);
  expect(readFileSync(join(dir, 'shards.toml'), 'utf8')).toBe(text);
});
