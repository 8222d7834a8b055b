import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect.ts';
import {
  endProcess,
  freePorts,
  spawnMortal,
  startTrialCluster,
  type TrialCluster,
} from '../../src/once/trial/trial.ts';
import { temporaryFolder } from '../support/folder.ts';
import { countsOf, faultsOf, History } from '../support/once-history.ts';
import { OnceProcess } from '../support/once-process.ts';
import { seededRandom } from '../support/random.ts';

async function etcdctl(endpoints: readonly string[], ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, ETCDCTL_API: '3' };
  const all = ['--endpoints', endpoints.join(','), 'member', ...args];
  return (await promisify(execFile)('etcdctl', all, { env })).stdout;
}

/**
 * Asks until etcd does it: it changes no members before it has seen all for five seconds. A try whose outcome
 * was unknown may have done it: then etcd would refuse the next one for ever.
 *
 * @param isDone Whether it was done, by a list of the members.
 * @returns That list.
 */
async function changeMembers(
  endpoints: readonly string[],
  isDone: (members: string) => boolean,
  ...args: readonly string[]
): Promise<string> {
  let members = '';
  const change = async (): Promise<boolean> => {
    members = await etcdctl(endpoints, 'list');
    if (isDone(members)) return true;
    await etcdctl(endpoints, ...args);
    return false;
  };
  await expect.poll(change, { interval: 500 }).toBe(true);
  return members;
}

/** Adds a member as docs/once.md says. @returns Its client URL. */
async function addMember({ endpoints }: TrialCluster): Promise<string> {
  const [client, peer] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`);
  const add = ['add', 'e4', `--peer-urls=${peer}`];
  const members = await changeMembers(endpoints, (list) => list.includes(peer), ...add);
  // One that has not started has no name in the list.
  const cluster = [...members.matchAll(/^\w+, \w+, (\w*), (\S+),/gm)]
    .map(([, name, url]) => `${name || 'e4'}=${url}`)
    .join(',');
  const etcd = spawnMortal('etcd', [
    ...['--name', 'e4', '--data-dir', join(temporaryFolder(), 'e4'), '--initial-cluster', cluster],
    ...['--initial-cluster-state', 'existing', '--listen-client-urls', client],
    ...['--advertise-client-urls', client, '--listen-peer-urls', peer],
    ...['--initial-advertise-peer-urls', peer, '--log-level', 'error'],
  ]);
  etcd.stderr!.resume();
  onTestFinished(() => endProcess(etcd));
  return client;
}

test('a member joins under load, and the leader leaves: no guarantee is broken, and keys are created again', async () => {
  const cluster = await startTrialCluster(temporaryFolder(), 3);
  onTestFinished(() => cluster.close());
  const node = new OnceProcess(cluster.endpoints);
  await node.restart();
  const history = new History();
  let isOver = false;
  const playing = history.play([node], seededRandom(7), 4, () => isOver);
  const creates = async (name: string): Promise<void> => {
    await expect
      .poll(() => history.create(node, name, 'v'))
      .toMatchObject({ kind: expect.stringMatching(/^(created|same)$/) });
  };

  const url = await addMember(cluster);
  const all = connectEtcd({ endpoints: [...cluster.endpoints, url] });
  onTestFinished(() => all.close());
  await expect.poll(() => all.status(url)).toMatchObject({ kind: 'done' });
  await creates('joined');

  const status = await all.status(cluster.endpoints[0]);
  if (status.kind !== 'done') throw new Error(status.why);
  const { leaderId } = status.value;
  const id = BigInt(leaderId).toString(16);
  await changeMembers([...cluster.endpoints, url], (list) => !list.includes(id), 'remove', id);
  await creates('removed');
  await expect
    .poll(async () => {
      const members = await all.members();
      return members.kind === 'done' ? members.value.map(({ id }) => id).includes(leaderId) : true;
    })
    .toBe(false);
  isOver = true;
  await playing;

  // Who asks only the new member finds all.
  const other = new OnceProcess([url]);
  await other.restart();
  for (const key of new Set(history.events.map((one) => one.key))) {
    await expect.poll(() => history.read(other, key)).not.toEqual({ kind: 'unknown' });
  }
  process.stdout.write(`${JSON.stringify(countsOf(history.events))}\n`);
  expect(faultsOf(history.events)).toEqual([]);
});
