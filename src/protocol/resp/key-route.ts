import type { View } from '../../handler/handler.ts';
import { slotOf } from '../../shards/slots.ts';
import type { Counters } from '../counters.ts';
import { type Reply, TURN_WORK_MAX } from '../reply.ts';
import type { ClusterMap } from './cluster-map.ts';
import { type Call, type Command, hasData } from './command.ts';
import { Args } from './frame.ts';
import { KEY_BYTES_MAX } from './lookups.ts';
import { appendError } from './output.ts';

const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";

/** Said until there is data: the key may well be there. */
const NO_DATA = 'CLUSTERDOWN this node has no data yet';

/** Bytes of a key that are hashed in a unit of work (see reply.ts): 2 to 4 ns a byte (2026-11-28). */
const KEY_BYTES_A_UNIT = 256;

/** Keys that are hashed in a unit. */
const KEYS_A_UNIT = 8;

/** A request whose keys are looked at, as the session has found it. */
interface RoutedRequest {
  readonly command: Command;
  readonly input: Buffer;
  /** Where the first argument behind the name begins. */
  readonly argsStart: number;
  readonly end: number;
  /** Arguments, the name among them. */
  readonly argc: number;
}

/**
 * Whether the keys of a request are this node's, for one session on an address for clients of a
 * Redis Cluster. Of several keys each may be in another slot, as long as all are this node's: they are
 * answered, where Redis refuses them.
 */
export class KeyRoute {
  readonly #map: ClusterMap;
  /** Why the client is sent away. */
  #error = '';
  readonly #args = new Args();
  /** Arguments of a long request that were looked at, and the bytes that they are; 0: none was. */
  #argsDone = 0;
  #bytesDone = 0;
  #slot = -1;
  #crosses = false;
  #isForeign = false;

  constructor(map: ClusterMap) {
    this.#map = map;
  }

  /**
   * Looks at keys, and charges the reply for it. It remembers how far it has come.
   *
   * @returns Whether all keys are this node's. 'away': see `sendAway`. 'more': the others should have
   *   their turn before it goes on.
   */
  check(request: RoutedRequest, call: Call, reply: Reply): 'here' | 'away' | 'more' {
    const { command, input, argsStart, end, argc } = request;
    const [first, lastFromEnd] = command.routed ?? command.keys;
    if (first === 0) return this.#isPrepared(request, call, reply) ? 'here' : 'more';
    const last = lastFromEnd < 0 ? argc + lastFromEnd : lastFromEnd;
    const args = this.#args;
    args.begin(input, argsStart + this.#bytesDone, end, argc - 1 - this.#argsDone);
    let work = 0;
    while (work < TURN_WORK_MAX && this.#argsDone < last && args.advance()) {
      this.#argsDone++;
      this.#bytesDone = args.at - argsStart;
      if (this.#argsDone < first) continue;
      const bytes = args.end - args.start;
      work += 1 / KEYS_A_UNIT;
      if (bytes > KEY_BYTES_MAX) continue;
      work += bytes / KEY_BYTES_A_UNIT;
      this.#see(slotOf(args.input, args.start, args.end));
      if (this.#isForeign && this.#crosses) return this.#end(CROSS_SLOT);
    }
    reply.charge(work);
    if (this.#argsDone < last && args.left > 0) {
      reply.charge(TURN_WORK_MAX);
      return 'more';
    }
    if (this.#isForeign) return this.#end(this.#map.moved(this.#slot));
    return this.#end(hasData(call) ? undefined : NO_DATA);
  }

  /** What is kept for EXEC is prepared by that. */
  #isPrepared(request: RoutedRequest, call: Call, reply: Reply): boolean {
    const { command, input, argsStart, end, argc } = request;
    if (command.prepare === undefined || call.client.transaction !== undefined) return true;
    call.args.begin(input, argsStart, end, argc - 1);
    return command.prepare(call, reply);
  }

  /** Of a key that is not in the data. @returns As `check`. */
  checkMissing({ input, start, end }: Args, { info }: View): 'here' | 'away' {
    const slot = end - start > KEY_BYTES_MAX ? undefined : slotOf(input, start, end);
    if (slot !== undefined && !this.#map.isOwn(slot)) return this.#end(this.#map.moved(slot));
    return this.#end(info.generation > 0 ? undefined : NO_DATA);
  }

  /** Answers what is wrong with the keys that were looked at last. */
  sendAway(counters: Counters, reply: Reply): void {
    if (this.#error !== NO_DATA) counters.redis_redirects++;
    appendError(reply, this.#error);
  }

  #see(slot: number): void {
    if (this.#slot !== -1 && this.#slot !== slot) this.#crosses = true;
    if (!this.#map.isOwn(slot)) this.#isForeign = true;
    this.#slot = slot;
  }

  #end(error: string | undefined): 'here' | 'away' {
    this.#argsDone = 0;
    this.#bytesDone = 0;
    this.#slot = -1;
    this.#crosses = false;
    this.#isForeign = false;
    this.#error = error ?? '';
    return error === undefined ? 'here' : 'away';
  }
}
