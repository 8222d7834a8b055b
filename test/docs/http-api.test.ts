/** docs/http-api.md, held against the routes of both servers. */
import { expect, it } from 'vitest';
import { actionRoutes, type RouteParts, readRoutes } from '../../src/http/routes.ts';
import { ROUTES } from '../../src/once/http/routes.ts';
import { sectionOf } from './pages.ts';

/** The requests that a section names, without a query: `GET /api/status`. HEAD goes wherever GET does. */
function requestsIn(section: string): readonly string[] {
  const found = sectionOf(`docs/http-api.md#${section}`).matchAll(/`((?:GET|PUT|POST) [^`?]*)/g);
  return [...new Set([...found].map(([, request]) => request))].toSorted();
}

it('the page has all requests that a server answers, and none else', () => {
  // A route is not called here.
  const parts = {} as RouteParts;
  const reads = [...readRoutes(parts).keys()].map((path) => `GET ${path}`);
  const actions = [...actionRoutes(parts).keys()].map((path) => `POST ${path}`);
  expect(requestsIn('of-a-server')).toEqual([...reads, ...actions].toSorted());
});

it('the page has all requests that a node of set-once keys answers, and none else', () => {
  const served = [...ROUTES].flatMap(([path, { methods }]) =>
    [...methods.keys()].map((method) => `${method} ${path.replace('{key}', 'foo')}`),
  );
  expect(requestsIn('of-set-once-keys')).toEqual(served.toSorted());
});
