/** What belongs in this folder: notices which of the other nodes of a cluster answer. */
import type { TlsFiles } from '../server/access.ts';
import { Peer, type PeerNode } from './peer.ts';

/** How often each node is asked. */
const ASK_INTERVAL_MS = 300;

/** A round that begins this much too late says nothing of the others: this process was held up. */
const LATE_MS = 300;

/** How nodes are watched. */
export interface PeersOptions {
  /** Called when a node has begun to answer, or has ceased to. @param why What was found. */
  readonly onChange: (index: number, answers: boolean, why: string) => void;
  /** Called when a node, on a new connection, says that it has another shard than it should. */
  readonly onOtherShard: (index: number) => void;
  /** They are reached with TLS, and shown this certificate. */
  readonly tls?: TlsFiles | undefined;
}

/**
 * Asks nodes all the time whether they are there: a PING of Redis, over one connection each, and once
 * for each connection which shard they have. The end of
 * a process ends its connections, so it is noticed at once; that of a machine within
 * a second and a round.
 */
export class Peers {
  readonly #peers: readonly Peer[];
  readonly #rounds: NodeJS.Timeout;
  #roundAtMs = performance.now();

  constructor(nodes: readonly PeerNode[], { onChange, onOtherShard, tls }: PeersOptions) {
    this.#peers = nodes.map((node, i) => {
      return new Peer(node, tls, {
        onChange: (answers, why) => onChange(i, answers, why),
        onOtherShard: () => onOtherShard(i),
      });
    });
    this.#rounds = setInterval(() => this.#round(), ASK_INTERVAL_MS);
    this.#rounds.unref();
    for (const peer of this.#peers) peer.ask(this.#roundAtMs);
  }

  close(): void {
    clearInterval(this.#rounds);
    for (const peer of this.#peers) peer.close();
  }

  #round(): void {
    const nowMs = performance.now();
    const isLate = nowMs - this.#roundAtMs > ASK_INTERVAL_MS + LATE_MS;
    this.#roundAtMs = nowMs;
    for (const peer of this.#peers) {
      if (isLate) peer.excuse(nowMs);
      peer.ask(nowMs);
    }
  }
}
