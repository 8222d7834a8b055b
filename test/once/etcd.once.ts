import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect.ts';
import { type Change, type Etcd, endOfPrefix } from '../../src/etcd/etcd.ts';
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
  const all = await Promise.all(etcd.endpoints.map((url) => etcd.status(url)));
  const leaders = new Set(all.map((one) => one.kind === 'done' && one.value.leaderId));
  expect(leaders.size).toBe(1);
  expect(all.map((one) => one.kind === 'done' && one.value.memberId)).toContain([...leaders][0]);
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
  await expect.poll(() => seen.size, { timeout: 60_000 }).toBe(written.length);
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
