import { type Address, formatAddress } from '../../common/address.ts';
import type { Topology } from '../../shards/shards.ts';

/**
 * The file of an HAProxy in front of all nodes, each of which answers every key. It checks them twice a second,
 * and sends clients to those that answer.
 */
export function haproxyFile({ shards }: Topology, listen: Address): string {
  const bind =
    listen.kind === 'unix'
      ? listen.path
      : `${listen.host === undefined ? '*' : ''}${formatAddress(listen)}`;
  const servers = shards.flatMap(({ name, nodes }) =>
    nodes.map(({ address }, i) => `    server ${name}-${i} ${formatAddress(address)}`),
  );
  return `defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h

frontend goromdb
    bind ${bind}
    default_backend nodes

backend nodes
    balance leastconn
    option redispatch 1
    option tcp-check
    tcp-check send "version\\r\\n"
    tcp-check expect string VERSION
    default-server check inter 500ms fall 1 rise 2 on-marked-down shutdown-sessions observe layer4 error-limit 1 on-error mark-down
${servers.join('\n')}
`;
}
