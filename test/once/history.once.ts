import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startTrialCluster } from '../../src/once/trial/trial.ts';
import { temporaryFolder } from '../support/folder.ts';
import { countsOf, faultsOf, History } from '../support/once-history.ts';
import { OnceProcess } from '../support/once-process.ts';
import { redisClient } from '../support/once-redis.ts';
import { seededRandom } from '../support/random.ts';
import { SteppedClock } from '../support/stepped-clock.ts';

/** How long faults are made, each with a seed of its own: `SECONDS=600 SEED=1 npm run test:once`. */
const SECONDS = Number(process.env.SECONDS ?? 60);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const NODES = 3;

test(`${SECONDS} seconds of kills and stops break no guarantee: SEED=${SEED}`, async () => {
  const random = seededRandom(SEED);
  const below = (limit: number): number => Math.floor(random() * limit);
  const cluster = await startTrialCluster(temporaryFolder(), 3, [
    ...['--heartbeat-interval', '50', '--election-timeout', '500'],
  ]);
  onTestFinished(() => cluster.close());
  const clock = new SteppedClock();
  const nodes = Array.from({ length: NODES }, (_, i) => {
    // One that keeps nothing asks etcd each time.
    const flags = i === 0 ? ['-cache-size', '1B'] : [];
    return new OnceProcess(cluster.endpoints, flags, clock.within);
  });
  await Promise.all(nodes.map((node) => node.restart()));

  const made: Record<string, number> = {};
  const restartMembers = async (): Promise<void> => {
    for (const member of cluster.members) {
      if (member.child.exitCode !== null || member.child.signalCode !== null) member.restart();
    }
    await cluster.ready();
  };
  const kill = async (members: typeof cluster.members): Promise<void> => {
    const ended = members.map(({ child }) => new Promise((go) => child.once('exit', go)));
    for (const { child } of members) child.kill('SIGKILL');
    await Promise.all(ended);
  };
  const faults: Record<string, () => Promise<void>> = {
    'a node is killed': async () => {
      const node = nodes[below(NODES)];
      await node.process.kill('SIGKILL');
      await node.restart();
    },
    'a node is stopped': async () => {
      const { child } = nodes[below(NODES)].process;
      child.kill('SIGSTOP');
      await delay(200 + below(1_500));
      child.kill('SIGCONT');
    },
    'an etcd is killed': async () => {
      await kill([cluster.members[below(3)]]);
      await delay(below(1_000));
      await restartMembers();
    },
    'an etcd is stopped': async () => {
      const { child } = cluster.members[below(3)];
      child.kill('SIGSTOP');
      await delay(200 + below(2_000));
      child.kill('SIGCONT');
    },
    'the quorum is lost': async () => {
      await kill(cluster.members.slice(below(2)).slice(0, 2));
      await delay(500 + below(1_500));
      await restartMembers();
    },
    'all etcds are killed': async () => {
      await kill(cluster.members);
      await restartMembers();
    },
  };

  const untilMs = performance.now() + SECONDS * 1000;
  const isOver = (): boolean => performance.now() > untilMs;
  const history = new History();
  const breaking = (async () => {
    while (!isOver()) {
      const [name, run] = Object.entries(faults)[below(Object.keys(faults).length)];
      clock.step(below(200_000) - 100_000);
      made['the clocks of the nodes step'] = (made['the clocks of the nodes step'] ?? 0) + 1;
      await run();
      made[name] = (made[name] ?? 0) + 1;
      await delay(below(500));
    }
  })();
  const clients = nodes.flatMap((node) => [node, redisClient(node.wirePath)]);
  await Promise.all([history.play(clients, random, 4, isOver), breaking]);
  await cluster.ready();
  // What was acknowledged long ago is still there.
  for (const key of new Set(history.events.map((one) => one.key))) {
    await history.read(clients[below(clients.length)], key);
  }
  process.stdout.write(`${JSON.stringify({ SEED, ...countsOf(history.events), ...made })}\n`);
  expect(faultsOf(history.events)).toEqual([]);
});

test('of a hundred who race for a key by three nodes, one creates it, and all find its value', async () => {
  const cluster = await startTrialCluster(temporaryFolder(), 3);
  onTestFinished(() => cluster.close());
  const nodes = Array.from({ length: NODES }, () => new OnceProcess(cluster.endpoints));
  await Promise.all(nodes.map((node) => node.restart()));
  const history = new History();
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    const racers = Array.from({ length: 100 }, async (_, i) => {
      // Whoever was not told what came of it, as when etcd is held up, asks again for the same.
      for (;;) {
        const { kind } = await history.create(nodes[i % NODES], key, `v${i}`);
        if (kind !== 'unknown' && kind !== 'failed') return kind;
      }
    });
    const told = await Promise.all(racers);
    expect(told.filter((kind) => kind !== 'conflict').length).toBe(1);
    for (const node of nodes) await history.read(node, key);
  }
  expect(faultsOf(history.events)).toEqual([]);
});
