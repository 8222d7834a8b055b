import { SLOTS } from '../../shards/slots.ts';
import type { Reply } from '../reply.ts';
import type { ClusterMap } from './cluster-map.ts';
import type { Call } from './command.ts';
import { appendArray, appendBulkText, appendInteger, appendMap, appendVerbatim } from './output.ts';

/** How clients are told of all nodes: CLUSTER SLOTS, SHARDS, NODES and INFO. */

/**
 * CLUSTER SLOTS: each range of slots, and its nodes. The first one is the master to clients. Those
 * that do not answer are left out.
 */
export function appendSlots(reply: Reply, map: ClusterMap): void {
  const { shards } = map.cluster;
  map.rotate();
  appendArray(reply, shards.length);
  for (const [i, { firstSlot, lastSlot }] of shards.entries()) {
    const nodes = map.rotated(i);
    appendArray(reply, 2 + nodes.length);
    appendInteger(reply, firstSlot);
    appendInteger(reply, lastSlot);
    for (const { id, host, port } of nodes) {
      appendArray(reply, 3);
      appendBulkText(reply, host);
      appendInteger(reply, port);
      appendBulkText(reply, id);
    }
  }
}

/** CLUSTER SHARDS: all nodes, also those that do not answer. */
export function appendShards(reply: Reply, map: ClusterMap, { client }: Call): void {
  const { shards, isEncrypted } = map.cluster;
  appendArray(reply, shards.length);
  for (const [i, { firstSlot, lastSlot, nodes }] of shards.entries()) {
    const [master] = map.live(i);
    appendMap(reply, client.resp, 2);
    appendBulkText(reply, 'slots');
    appendArray(reply, 2);
    appendInteger(reply, firstSlot);
    appendInteger(reply, lastSlot);
    appendBulkText(reply, 'nodes');
    appendArray(reply, nodes.length);
    for (const [number, node] of nodes.entries()) {
      const { id, host, port } = node;
      appendMap(reply, client.resp, 7);
      appendBulkText(reply, 'id');
      appendBulkText(reply, id);
      appendBulkText(reply, isEncrypted ? 'tls-port' : 'port');
      appendInteger(reply, port);
      for (const [name, text] of [
        ['ip', host],
        ['endpoint', host],
        ['role', node === master ? 'master' : 'replica'],
      ]) {
        appendBulkText(reply, name);
        appendBulkText(reply, text);
      }
      appendBulkText(reply, 'replication-offset');
      appendInteger(reply, 0);
      appendBulkText(reply, 'health');
      appendBulkText(reply, map.answers(i, number) ? 'online' : 'fail');
    }
  }
}

/**
 * CLUSTER NODES, a line a node. The first node that answers is the master: all nodes have to say the
 * same (`redis-cli --cluster check` compares them), so here none takes turns. There is no bus between
 * nodes: its port is 0.
 */
export function appendNodes(reply: Reply, map: ClusterMap, { client }: Call): void {
  const { own, cluster } = map;
  const lines = cluster.shards.flatMap(({ nodes, firstSlot, lastSlot }, i) => {
    const [master] = map.live(i);
    return nodes.map((node, number) => {
      const answers = map.answers(i, number);
      const flags = [
        ...(node === own ? ['myself'] : []),
        node === master ? 'master' : 'slave',
        ...(answers ? [] : ['fail']),
      ].join(',');
      const of = node === master ? '-' : master.id;
      const slots = node === master ? ` ${firstSlot}-${lastSlot}` : '';
      const state = answers ? 'connected' : 'disconnected';
      const { id, host, port } = node;
      return `${id} ${host}:${port}@0 ${flags} ${of} 0 0 ${i + 1} ${state}${slots}\n`;
    });
  });
  appendVerbatim(reply, client.resp, lines.join(''));
}

/** CLUSTER INFO. A shard that does not answer keeps nobody from reading the others: `ok`. */
export function appendClusterInfo(reply: Reply, map: ClusterMap, { client }: Call): void {
  const { shards, ownShard } = map.cluster;
  let failed = 0;
  let nodes = 0;
  for (const [i, shard] of shards.entries()) {
    nodes += shard.nodes.length;
    const isDead = shard.nodes.every((_, node) => !map.answers(i, node));
    if (isDead) failed += shard.lastSlot - shard.firstSlot + 1;
  }
  const fields: readonly (readonly [string, string | number])[] = [
    ['cluster_state', 'ok'],
    ['cluster_slots_assigned', SLOTS],
    ['cluster_slots_ok', SLOTS - failed],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', failed],
    ['cluster_known_nodes', nodes],
    ['cluster_size', shards.length],
    ['cluster_current_epoch', shards.length],
    ['cluster_my_epoch', ownShard + 1],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
  ];
  const text = fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
  appendVerbatim(reply, client.resp, text);
}
