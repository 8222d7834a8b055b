import type { IncomingMessage } from 'node:http';
import type { Admin } from '../admin/admin.ts';
import type { CachedStore } from '../once.ts';
import { type Answer, faultOf } from './answers.ts';
import { createMany, createOne, putOne } from './create.ts';
import { adminPage, health, metrics, overview, status } from './operators.ts';
import { keyOfPath, readOne } from './read.ts';

/** What stands before a key in a path. */
export const KEY_PATH = '/key/';

/** A request, and who answers it. */
export interface Call {
  readonly request: IncomingMessage;
  readonly store: CachedStore;
  /** Default: there is no admin page. */
  readonly admin?: Admin | undefined;
  /** What follows `/key/`, with its escapes. */
  readonly name: string;
}

interface Route {
  /** By method. HEAD is answered as GET. */
  readonly methods: ReadonlyMap<string, (call: Call) => Answer | Promise<Answer>>;
  /** It shows no keys: probes, Prometheus and other nodes need no login for it. */
  readonly isOpen?: true;
}

/** By path. docs/once.openapi.json describes them all. */
export const ROUTES: ReadonlyMap<string, Route> = new Map([
  ['/key', post(({ store, request }) => createOne(store, request))],
  ['/keys', post(({ store, request }) => createMany(store, request))],
  [
    '/key/{key}',
    {
      methods: new Map([
        ['GET', withKey((key, { store, request }) => readOne(store, key, request))],
        ['PUT', withKey((key, { store, request }) => putOne(store, key, request))],
      ]),
    },
  ],
  ['/admin', get(({ admin }) => (admin === undefined ? noSuchPath() : adminPage(admin)))],
  ['/api/overview', get(({ admin }) => (admin === undefined ? noSuchPath() : overview(admin)))],
  ['/status', open(({ store, admin }) => status(store, admin))],
  ['/metrics', open(({ store }) => metrics(store))],
  ['/healthz', open(health)],
]);

type Handler = (call: Call) => Answer | Promise<Answer>;

function get(handler: Handler): Route {
  return { methods: new Map([['GET', handler]]) };
}

function open(handler: Handler): Route {
  return { ...get(handler), isOpen: true };
}

function post(handler: Handler): Route {
  return { methods: new Map([['POST', handler]]) };
}

function withKey(run: (key: Buffer, call: Call) => Answer | Promise<Answer>): Handler {
  return (call) => {
    const key = keyOfPath(call.name);
    return Buffer.isBuffer(key) ? run(key, call) : key;
  };
}

export function noSuchPath(): Answer {
  const expected = 'expected /key, /keys, /key/KEY, /admin, /status, /metrics or /healthz';
  return faultOf(404, 'NO_SUCH_PATH', expected);
}
