/** What each path answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ErrorCode, GoromdbError, messageOf } from '../common/errors.ts';
import { durationMs } from '../common/go-duration.ts';
import type { LoopDelay } from '../common/loop-delay.ts';
import type { Metric, Status } from '../common/status.ts';
import { SAMPLE_WINDOW_SECONDS, type SampledLookup } from '../storage/lookup-sample.ts';
import { bodyOf } from './body.ts';
import { DiskSpace } from './disk-space.ts';
import type { EventFeed } from './event-feed.ts';
import { hotPrefixes } from './hot-prefixes.ts';
import { memorySamples } from './memory.ts';
import { exposition, isShownByStatus, sampleOf } from './prometheus.ts';
import { lacksOf, type Wanted } from './readiness.ts';
import { statusPage } from './status-page.ts';
import { statusSamples } from './status-samples.ts';

/** The server that HTTP clients ask about. */
export interface Subject {
  status(): Status;
  counters(): readonly Metric[];
  /** Lookups of late, by the keys that the file has. @throws GoromdbError OPTION_INVALID. */
  sample(set: string): readonly SampledLookup[];
  /** @param set The prefix of a data set. @throws GoromdbError OPTION_INVALID, ROLLBACK_REFUSED. */
  rollback(set: string): Promise<unknown>;
  /** @throws GoromdbError OPTION_INVALID. */
  rescan(set: string): void;
  /** @throws GoromdbError OPTION_INVALID. */
  scrub(set: string): void;
}

/** What routes are made of. */
export interface RouteParts {
  readonly subject: Subject;
  readonly feed: EventFeed;
  /** Whether the server has begun to close. */
  readonly isDraining: () => boolean;
  /** Of the main thread. */
  readonly loopDelay: Pick<LoopDelay, 'delay'>;
  /** Undefined: nobody may see prefixes of keys. */
  readonly prefixDelimiter: string | undefined;
}

/** A response, whole. */
export interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns Undefined when it has taken the response over. */
export type Route = (
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<Answer> | Answer | undefined;

function jsonAnswer(status: number, value: unknown): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

export function faultAnswer(status: number, code: string, message: string): Answer {
  return jsonAnswer(status, { code, message });
}

/** By path. They change nothing. */
export function readRoutes({
  subject,
  feed,
  loopDelay,
  isDraining,
  prefixDelimiter,
}: RouteParts): ReadonlyMap<string, Route> {
  const diskSpace = new DiskSpace();
  const page = statusPage();
  return new Map<string, Route>([
    ['/', () => ({ status: 200, ...page })],
    ['/healthz', () => ({ status: 200, body: 'ok\n' })],
    ['/readyz', (url) => readiness(subject, wantedOf(url), isDraining())],
    [
      '/metrics',
      async () => {
        const status = subject.status();
        const counters = subject.counters().filter((metric) => !isShownByStatus(metric));
        const all = [
          ...statusSamples(status, loopDelay.delay),
          ...counters.map(sampleOf),
          ...(await memorySamples()),
          ...(await diskSpace.samples(status.dataSets)),
        ];
        return {
          status: 200,
          type: 'text/plain; version=0.0.4; charset=utf-8',
          body: exposition(all),
        };
      },
    ],
    ['/api/prefixes', (url) => prefixes(subject, setIn(url), prefixDelimiter)],
    ['/api/status', () => jsonAnswer(200, subject.status())],
    [
      '/api/events',
      (_, { headers }, response) => {
        const lastId = headers['last-event-id'];
        const isIn = feed.subscribe(response, typeof lastId === 'string' ? lastId : undefined);
        return isIn ? undefined : faultAnswer(503, 'LIMIT_EXCEEDED', 'too many clients of events');
      },
    ],
  ]);
}

/** By path. They need the token, and change something. */
export function actionRoutes({ subject }: RouteParts): ReadonlyMap<string, Route> {
  const action =
    (status: number, run: (set: string) => unknown): Route =>
    async (url, request) => {
      await bodyOf(request);
      const set = setIn(url);
      return jsonAnswer(status, { ok: true, result: await run(set) });
    };
  return new Map<string, Route>([
    ['/api/rollback', action(200, (set) => subject.rollback(set))],
    ['/api/rescan', action(202, (set) => subject.rescan(set))],
    ['/api/scrub', action(202, (set) => subject.scrub(set))],
  ]);
}

/** What a route has thrown. */
export function thrownAnswer(error: unknown): Answer {
  const code: ErrorCode = error instanceof GoromdbError ? error.code : 'SERVER_FAILED';
  const statuses: Partial<Record<ErrorCode, number>> = {
    OPTION_INVALID: 400,
    LIMIT_EXCEEDED: 413,
    ROLLBACK_REFUSED: 409,
  };
  return faultAnswer(statuses[code] ?? 500, code, messageOf(error));
}

/** The data set that a request is about. */
function setIn({ searchParams }: URL): string {
  return searchParams.get('data_set') ?? '';
}

function prefixes(subject: Subject, dataSet: string, delimiter: string | undefined): Answer {
  if (delimiter === undefined) {
    return faultAnswer(404, 'NOT_FOUND', 'this server was started without -http-prefixes');
  }
  const sample = subject.sample(dataSet);
  const found = hotPrefixes(sample, delimiter);
  const about = { dataSet, delimiter, seconds: SAMPLE_WINDOW_SECONDS, sampled: sample.length };
  return jsonAnswer(200, { ...about, prefixes: found });
}

function readiness(subject: Subject, wanted: Wanted, isDraining: boolean): Answer {
  const lacks = isDraining
    ? [{ code: 'CLOSING', text: 'the server closes' }]
    : lacksOf(subject.status(), wanted);
  return jsonAnswer(lacks.length === 0 ? 200 : 503, { ready: lacks.length === 0, lacks });
}

function wantedOf({ searchParams }: URL): Wanted {
  const fresh = searchParams.get('fresh');
  const md5 = searchParams.get('md5')?.toLowerCase();
  const freshMs = fresh === null ? undefined : durationMs(fresh);
  if (freshMs !== undefined && !(freshMs > 0)) {
    throw new GoromdbError('OPTION_INVALID', 'fresh: expected a duration such as 26h');
  }
  if (md5 !== undefined && !/^[\da-f]{32}$/.test(md5)) {
    throw new GoromdbError('OPTION_INVALID', 'md5: expected 32 hex digits');
  }
  return { freshMs, md5 };
}
