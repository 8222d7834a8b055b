import type { OutgoingHttpHeaders } from 'node:http';
import type { Creation } from '../once.ts';

/** What is answered: `content-length` is among the headers. */
export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Buffer | string;
}

/** After so many seconds whoever got 503 may try again. */
const RETRY_SECONDS = '1';

/** Of each answer with a body: no browser is to take it for something else. */
export const NO_SNIFFING = { 'x-content-type-options': 'nosniff' } as const;

export function jsonAnswer(status: number, value: unknown): Answer {
  const body = `${JSON.stringify(value)}\n`;
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...NO_SNIFFING,
  };
  return { status, headers, body };
}

/** @param code Is stable, for programs; the message is for people. */
export function faultOf(status: number, code: string, message: string): Answer {
  const answer = jsonAnswer(status, { code, message });
  if (status !== 503) return answer;
  return { ...answer, headers: { ...answer.headers, 'retry-after': RETRY_SECONDS } };
}

/** The status of each creation, and what a program may go by. */
export const CREATIONS: Readonly<
  Record<Creation['kind'], readonly [status: number, code: string]>
> = {
  created: [201, 'CREATED'],
  same: [200, 'SAME'],
  conflict: [409, 'CONFLICT'],
  unknown: [503, 'UNKNOWN'],
  unavailable: [503, 'UNAVAILABLE'],
  full: [507, 'FULL'],
};

const TEXTS: Readonly<Record<Creation['kind'], string>> = {
  created: 'the key was created',
  same: 'the key already has this value',
  conflict: 'the key has another value, and keeps it',
  unknown: 'the key may have been created: try again, which is safe since values are compared',
  unavailable: 'nothing was created: etcd cannot be reached, or has no quorum',
  full: 'nothing was created: the database of etcd is full; reads go on',
};

export function messageOfCreation(creation: Creation): string {
  if ('isForeign' in creation) return `nothing was created: ${creation.why}`;
  const why = 'why' in creation ? ` (${creation.why})` : '';
  return TEXTS[creation.kind] + why;
}

export function creationAnswer(creation: Creation): Answer {
  const [status, code] = CREATIONS[creation.kind];
  return faultOf(status, code, messageOfCreation(creation));
}
