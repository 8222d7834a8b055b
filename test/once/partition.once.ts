import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { endProcess, spawnMortal } from '../../src/once/trial/trial.ts';
import { temporaryFolder } from '../support/folder.ts';
import { type Hosts, makeHosts } from '../support/networks.ts';
import { countsOf, faultsOf, History } from '../support/once-history.ts';
import { OnceProcess } from '../support/once-process.ts';
import { seededRandom } from '../support/random.ts';

/** How long networks are cut, each with a seed of its own: `SECONDS=600 SEED=1 npm run test:once`. */
const SECONDS = Number(process.env.SECONDS ?? 60) / 2;
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));

/** Only root makes networks. */
const IS_ROOT = process.getuid?.() === 0;

interface Rig extends Hosts {
  /** A node on each host, which asks its own etcd first. */
  readonly nodes: readonly OnceProcess[];
  /** The same with `-stale-reads`. */
  readonly staleNodes: readonly OnceProcess[];
}

/** Three hosts, with an etcd and two nodes on each. Needs root. */
async function started(): Promise<Rig> {
  const net = await makeHosts(3);
  const folder = temporaryFolder();
  const cluster = net.hosts.map(({ ip }, i) => `e${i}=http://${ip}:2380`).join(',');
  for (const [i, { ip, within }] of net.hosts.entries()) {
    const [command, ...rest] = [
      ...[...within, 'etcd', '--name', `e${i}`, '--data-dir', join(folder, `e${i}`)],
      ...['--listen-client-urls', `http://${ip}:2379`, '--advertise-client-urls'],
      ...[`http://${ip}:2379`, '--listen-peer-urls', `http://${ip}:2380`],
      ...['--initial-advertise-peer-urls', `http://${ip}:2380`, '--initial-cluster', cluster],
      ...['--heartbeat-interval', '50', '--election-timeout', '500', '--log-level', 'error'],
    ];
    const etcd = spawnMortal(command, rest);
    etcd.stderr!.resume();
    onTestFinished(() => endProcess(etcd));
  }
  const urls = net.hosts.map(({ ip }) => `http://${ip}:2379`);
  const startAll = (flags: readonly string[]): readonly OnceProcess[] =>
    net.hosts.map(({ within }, i) => {
      return new OnceProcess([...urls.slice(i), ...urls.slice(0, i)], flags, within);
    });
  const rig = { ...net, nodes: startAll([]), staleNodes: startAll(['-stale-reads']) };
  await Promise.all([...rig.nodes, ...rig.staleNodes].map((node) => node.restart()));
  await whole(rig);
  return rig;
}

let created = 0;

/** Waits until each node creates a key. */
async function whole({ nodes, staleNodes }: Rig): Promise<void> {
  for (const node of [...nodes, ...staleNodes]) {
    const create = () => node.create(`whole${created++}`, 'v');
    await expect.poll(create, { interval: 100 }).toEqual({ kind: 'created' });
  }
}

/** Cuts a host off from the two others. */
function cutOff({ drop }: Hosts, alone: number): void {
  for (const other of [0, 1, 2]) {
    if (other === alone) continue;
    drop(alone, other);
    drop(other, alone);
  }
}

test.runIf(IS_ROOT)(
  'whoever is cut off from the others says "absent" of nothing, but with -stale-reads',
  async () => {
    const rig = await started();
    const history = new History();
    cutOff(rig, 2);
    await expect
      .poll(() => history.create(rig.nodes[0], 'late', 'v'))
      .toMatchObject({ kind: expect.stringMatching(/^(created|same)$/) });
    expect(await history.read(rig.nodes[2], 'late')).toEqual({ kind: 'unknown' });
    expect(await history.read(rig.nodes[2], 'never')).toEqual({ kind: 'unknown' });
    expect(['unknown', 'failed']).toContain((await history.create(rig.nodes[2], 'new', 'v')).kind);
    expect(await history.read(rig.staleNodes[2], 'late')).toEqual({ kind: 'absent' });
    expect(faultsOf(history.events)).toEqual([]);
    // The checker is not blind: it finds a stale read that passes for a read of what is.
    const taken = history.events.map((event) => ({ ...event, isStale: false }));
    expect(faultsOf(taken)).toEqual(['late: was absent after it was acknowledged']);
    rig.heal();
    await expect.poll(() => rig.staleNodes[2].read('late')).toEqual({ kind: 'found', value: 'v' });
  },
);

test.runIf(IS_ROOT)(
  `${SECONDS} seconds of cut networks break no guarantee: SEED=${SEED}`,
  async () => {
    const random = seededRandom(SEED);
    const below = (limit: number): number => Math.floor(random() * limit);
    const rig = await started();
    const cuts: Record<string, () => void> = {
      'one is cut off': () => cutOff(rig, below(3)),
      'two do not see each other': () => {
        const [a, b] = [below(3), 1 + below(2)];
        rig.drop(a, (a + b) % 3);
        rig.drop((a + b) % 3, a);
      },
      'one is not heard': () => {
        const mute = below(3);
        for (const other of [1, 2]) rig.drop(mute, (mute + other) % 3);
      },
      'one hears nothing': () => {
        const deaf = below(3);
        for (const other of [1, 2]) rig.drop((deaf + other) % 3, deaf);
      },
      'all are cut off': () => {
        for (const one of [0, 1, 2]) cutOff(rig, one);
      },
    };
    const made: Record<string, number> = {};
    const untilMs = performance.now() + SECONDS * 1000;
    const isOver = (): boolean => performance.now() > untilMs;
    const history = new History();
    const cutting = (async () => {
      while (!isOver()) {
        const [name, cut] = Object.entries(cuts)[below(Object.keys(cuts).length)];
        cut();
        made[name] = (made[name] ?? 0) + 1;
        await delay(500 + below(3_000));
        rig.heal();
        await delay(below(2_500));
      }
    })();
    const all = [...rig.nodes, ...rig.staleNodes];
    await Promise.all([history.play(all, random, 4, isOver), cutting]);
    await whole(rig);
    for (const key of new Set(history.events.map((one) => one.key))) {
      await history.read(rig.nodes[below(3)], key);
    }
    process.stdout.write(`${JSON.stringify({ SEED, ...countsOf(history.events), ...made })}\n`);
    expect(faultsOf(history.events)).toEqual([]);
  },
);
