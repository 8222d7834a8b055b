/**
 * What belongs in this folder: measures what serving threads do, in memory that the main thread reads.
 */
import type { LoopDelay } from '../../common/loop-delay.ts';
import type { ServerStatus } from '../../common/status.ts';
import type { Asker } from '../../storage/lookup-counts.ts';
import { REFUSAL_WORDS, RefusalCounts, readRefusals } from './refusal-counts.ts';
import { REQUEST_WORDS, RequestMeter, readRequests } from './request-meter.ts';
import type { SlowLog } from './slow-log.ts';

/** Words of the delay of the event loop: its 99th percentile and its maximum. */
const DELAY_WORDS = 2;

/** In whole cache lines of 64 bytes: see `createCounterMemory`. */
const BLOCK_WORDS = Math.ceil((REQUEST_WORDS + REFUSAL_WORDS + DELAY_WORDS) / 8) * 8;

/** What a thread measures. Only that thread writes; any may read. */
export interface ThreadMeter {
  readonly requests: RequestMeter;
  readonly refusals: RefusalCounts;
  /** To be called once a second. */
  tick(): void;
}

/** Memory for the meters of some threads, to be shared with all of them. */
export function createMeterMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * BLOCK_WORDS * 8);
}

/** What else a thread's meter does. */
interface MeterOptions {
  /** Of this thread. Default: its delay is not measured. */
  readonly loop?: LoopDelay;
  readonly slow?: SlowLog | undefined;
}

/** The meter of one thread. */
export function meterOf(
  memory: SharedArrayBuffer,
  thread: number,
  asker: Asker,
  { loop, slow }: MeterOptions = {},
): ThreadMeter {
  const parts = partsOf(memory, thread);
  const requests = new RequestMeter(parts.requests, asker, slow);
  const refusals = new RefusalCounts(parts.refusals, asker);
  const tick = (): void => {
    requests.tick();
    if (loop === undefined) return;
    const { p99Seconds, maxSeconds } = loop.delay;
    parts.delay.set([p99Seconds, maxSeconds]);
  };
  return { requests, refusals, tick };
}

interface Parts {
  readonly requests: Float64Array;
  readonly refusals: Float64Array;
  readonly delay: Float64Array;
}

function partsOf(memory: SharedArrayBuffer, thread: number): Parts {
  const words = new Float64Array(memory, thread * BLOCK_WORDS * 8, BLOCK_WORDS);
  const refusals = REQUEST_WORDS + REFUSAL_WORDS;
  return {
    requests: words.subarray(0, REQUEST_WORDS),
    refusals: words.subarray(REQUEST_WORDS, refusals),
    delay: words.subarray(refusals, refusals + DELAY_WORDS),
  };
}

/** What all threads have measured. */
export function readMeters(memory: SharedArrayBuffer): Pick<
  ServerStatus,
  'requests' | 'refusedWrites'
> & {
  readonly loopDelays: readonly { readonly p99Seconds: number; readonly maxSeconds: number }[];
} {
  const threads = memory.byteLength / 8 / BLOCK_WORDS;
  const parts = Array.from({ length: threads }, (_, thread) => partsOf(memory, thread));
  return {
    requests: readRequests(parts.map(({ requests }) => requests)),
    refusedWrites: readRefusals(parts.map(({ refusals }) => refusals)),
    loopDelays: parts.map(({ delay: [p99Seconds, maxSeconds] }) => ({ p99Seconds, maxSeconds })),
  };
}
