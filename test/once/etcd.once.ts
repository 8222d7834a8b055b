import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect.ts';
import { type Change, type Etcd, endOfPrefix, type Found } from '../../src/etcd/etcd.ts';
import { startTrialCluster, type TrialCluster } from '../../src/once/trial/trial.ts';
import { temporaryFolder } from '../support/folder.ts';

async function connected(count: number): Promise<{ cluster: TrialCluster; etcd: Etcd }> {
  const cluster = await startTrialCluster(temporaryFolder(), count);
  onTestFinished(() => cluster.close());
  const etcd = connectEtcd({ endpoints: cluster.endpoints });
  onTestFinished(() => etcd.close());
  return { cluster, etcd };
}

test('members and their status are those of a real cluster', async () => {
  const { etcd } = await connected(3);
  const members = await etcd.members();
  expect(members.kind === 'done' && members.value.map(({ name }) => name).sort()).toEqual([
    ...['e1', 'e2', 'e3'],
  ]);
  // Of a member that was held up for a moment, the others may have chosen another leader.
  await expect
    .poll(async () => {
      const all = await Promise.all(etcd.endpoints.map((url) => etcd.status(url)));
      const leaders = new Set(all.map((one) => one.kind === 'done' && one.value.leaderId));
      const [leader] = leaders;
      const isMember = all.some((one) => one.kind === 'done' && one.value.memberId === leader);
      return { leaders: leaders.size, isMember };
    })
    .toEqual({ leaders: 1, isMember: true });
});

test('a key goes with its lease, unless that is renewed', async () => {
  const { etcd } = await connected(1);
  const lease = await etcd.grantLease(60);
  if (lease.kind !== 'done') throw new Error(lease.why);
  await etcd.put(Buffer.from('k'), Buffer.from('v'), lease.value);
  expect(await etcd.renewLease(lease.value)).toEqual({ kind: 'done', value: 60 });
  expect(await etcd.range({ key: Buffer.from('k') })).toMatchObject({ value: { records: [{}] } });
  await etcd.revokeLease(lease.value);
  expect(await etcd.range({ key: Buffer.from('k') })).toMatchObject({ value: { records: [] } });
  expect(await etcd.renewLease(lease.value)).toEqual({ kind: 'done', value: 0 });
});

test('a watch misses nothing while the members that it hangs on are killed and stopped', async () => {
  const { cluster, etcd } = await connected(3);
  const seen = new Map<string, number>();
  const breaks: string[] = [];
  const note = (key: Buffer): void => void seen.set(String(key), (seen.get(String(key)) ?? 0) + 1);
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const ended = etcd.watch(
    Buffer.from('w/'),
    {
      onList: ({ records }) => records.forEach(({ key }) => void note(key)),
      onChange: ({ record }) => note(record.key),
      onBreak: (why) => void breaks.push(why),
    },
    stop.signal,
  );
  const writer = connectEtcd({ endpoints: cluster.endpoints });
  onTestFinished(() => writer.close());
  const written: string[] = [];
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; ) {
      const name = `w/${written.length}`;
      const key = Buffer.from(name);
      // Tried until its outcome is known, and done once.
      const compare = [{ key, createRevision: 0 }];
      const steps = [{ put: { key, value: Buffer.from('v') } }];
      const outcome = await writer.transact({ compare, steps });
      if (outcome.kind !== 'done') continue;
      written.push(name);
      i++;
    }
  };
  await write(20);
  for (const [i, signal] of (['SIGKILL', 'SIGSTOP', 'SIGKILL'] as const).entries()) {
    const member = cluster.members[i];
    member.child.kill(signal);
    await write(20);
    if (signal === 'SIGSTOP') await delay(4_000);
    if (signal === 'SIGSTOP') member.child.kill('SIGCONT');
    else member.restart();
    await cluster.ready();
    await write(20);
  }
  await expect.poll(() => seen.size).toBe(written.length);
  expect([...seen.keys()].sort()).toEqual([...written].sort());
  expect(Math.max(...seen.values())).toBe(1);
  expect(breaks.length).toBeGreaterThan(0);
  stop.abort();
  await ended;
});

test('changes that are more than etcd sends at once come in parts, each of them once', async () => {
  const { etcd } = await connected(1);
  const large = Buffer.alloc(1024 * 1024, 7);
  for (let i = 0; i < 8; i++) await etcd.put(Buffer.from(`f/large-${i}`), large);
  const small = Buffer.alloc(10 * 1024, 7);
  const steps = Array.from({ length: 100 }, (_, i) => {
    return { put: { key: Buffer.from(`f/small-${i}`), value: small } };
  });
  await etcd.transact({ compare: [], steps });
  const seen: string[] = [];
  const stop = new AbortController();
  const range = { key: Buffer.from('f/'), end: endOfPrefix(Buffer.from('f/')) };
  const follower = { onChange: ({ record }: Change) => void seen.push(String(record.key)) };
  const ended = etcd.follow(range, 1, follower, stop.signal);
  await expect.poll(() => seen.length).toBe(108);
  stop.abort();
  await ended;
  expect(new Set(seen).size).toBe(108);
});

test('a watch lists again what it has missed when etcd has compacted it away', async () => {
  const { cluster, etcd: writer } = await connected(1);
  const road = await openRoad(Number(new URL(cluster.endpoints[0]).port));
  const etcd = connectEtcd({ endpoints: [`http://127.0.0.1:${road.port}`] });
  onTestFinished(() => etcd.close());
  const put = async (name: string): Promise<number> => {
    const outcome = await writer.put(Buffer.from(name), Buffer.from('v'));
    if (outcome.kind !== 'done') throw new Error(outcome.why);
    return outcome.value.revision;
  };
  const compact = async (revision: number): Promise<void> => {
    const init = { method: 'POST', body: JSON.stringify({ revision, physical: true }) };
    expect((await fetch(`${cluster.endpoints[0]}/v3/kv/compaction`, init)).status).toBe(200);
  };
  const seen = new Set<string>();
  const lists: number[] = [];
  const breaks: string[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const watcher = {
    onList: ({ records }: Found): void => {
      lists.push(records.length);
      for (const { key } of records) seen.add(String(key));
    },
    onChange: ({ record }: Change): void => void seen.add(String(record.key)),
    onBreak: (why: string): void => void breaks.push(why),
  };
  await put('w/0');
  const ended = etcd.watch(Buffer.from('w/'), watcher, stop.signal);
  await expect.poll(() => seen.size).toBe(1);
  // Under a watch that hangs on, nothing is missed. That it does, the first change tells.
  const first = await put('w/1');
  await expect.poll(() => seen.size).toBe(2);
  await compact(first);
  await compact(await put('w/2'));
  await expect.poll(() => seen.size).toBe(3);
  expect(lists).toEqual([1]);

  road.close();
  for (let i = 3; i < 10; i++) await put(`w/${i}`);
  await compact(await put('w/10'));
  road.open();
  await put('w/11');
  await expect.poll(() => seen.size).toBe(12);
  expect(lists.length).toBe(2);
  expect(breaks.join()).toContain('compacted away');
  stop.abort();
  await ended;
});

/** A way to a port that can be closed: then all connections are cut, and no other one is let in. */
async function openRoad(
  to: number,
): Promise<{ readonly port: number; close(): void; open(): void }> {
  const sockets = new Set<net.Socket>();
  let isOpen = true;
  const server = net.createServer((client) => {
    const target = net.connect(to, '127.0.0.1');
    for (const socket of [client, target]) {
      sockets.add(socket.on('error', () => {}));
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    if (!isOpen) client.destroy();
    client.pipe(target).pipe(client);
  });
  const cut = (): void => {
    isOpen = false;
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const open = (): void => {
    isOpen = true;
  };
  return { port, close: cut, open };
}
