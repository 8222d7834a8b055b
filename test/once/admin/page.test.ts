import { describe, expect, test } from 'vitest';
import { RateHistory, sumOfRates } from '../../../src/once/admin/page/rates.ts';
import { findingsOf, verdictOf } from '../../../src/once/admin/page/verdict.ts';
import type { Figures, MemberView, Overview } from '../../../src/once/overview.ts';

const NONE: Figures = {
  ...{ gets: 0, hits: 0, misses: 0, readsUnavailable: 0, created: 0, same: 0, conflicts: 0 },
  ...{ unknown: 0, refused: 0, warmed: 0, cachedItems: 0, cachedBytes: 0 },
};

describe('rates', () => {
  test('are those between two moments, and there are none over a time without an answer', () => {
    const history = new RateHistory();
    history.add(0, NONE);
    history.add(2_000, { ...NONE, gets: 10, hits: 5, created: 4, conflicts: 2, unknown: 1 });
    expect(history.last).toEqual({
      ...{ atMs: 2_000, gets: 5, hits: 2.5, hitRate: 0.5 },
      ...{ creates: 2, conflicts: 1, unknown: 0.5 },
    });
    history.add(4_000, undefined);
    history.add(6_000, NONE);
    expect(history.last).toMatchObject({ atMs: 6_000, gets: undefined, hitRate: undefined });
    // The same overview once more.
    history.add(6_000, NONE);
    expect(history.points.length).toBe(3);
  });

  test('of nodes are summed at one moment, without those that have not answered', () => {
    const rates = {
      atMs: 9,
      creates: 1,
      conflicts: 0,
      unknown: 0,
      gets: 4,
      hits: 1,
      hitRate: 0.25,
    };
    const silent = { ...rates, gets: undefined, hits: undefined, creates: undefined };
    const all = [rates, { ...rates, hits: 3 }, silent, { ...rates, atMs: 7 }, undefined];
    expect(sumOfRates(9, all)).toMatchObject({ creates: 2, gets: 8, hits: 4, hitRate: 0.5 });
  });
});

describe('the verdict', () => {
  const member = (state: MemberView['state'], more = {}): MemberView => {
    return { name: 'e', url: 'http://e', state, faults: [], ...more };
  };
  const titleOf = (members: readonly MemberView[], more: Partial<Overview> = {}): string => {
    const overview = { atMs: 0, self: 'a', needsToken: false, nodes: [], members, ...more };
    return verdictOf(overview, findingsOf(overview)).title;
  };
  const leader = member('leader');
  const follower = member('follower');
  const silent = member('silent');

  test.each([
    [[leader, follower, follower], /^Keys are created and read$/],
    [[leader, follower, silent], /with 1 thing to look at$/],
    [[leader, silent, silent], /with 2 things to look at$/],
    [[silent], /no quorum/],
    [[leader], /^Keys are created and read$/],
    [[member('lost'), member('lost'), silent], /no quorum/],
    [[leader, member('unasked'), member('unasked')], /^Keys are created and read$/],
    [[], /no quorum/],
    [[leader, follower, member('follower', { faults: ['alarm:NOSPACE'] })], /etcd is full/],
    [[leader, follower, member('follower', { faults: ['x'] })], /with 1 thing/],
    [[member('leader', { databaseBytes: 81, quotaBytes: 100 })], /with 1 thing/],
    [[member('leader', { databaseBytes: 79, quotaBytes: 100 })], /^Keys are created and read$/],
  ])('%#: says first what is worst', (members, title) => {
    expect(titleOf(members)).toMatch(title);
  });

  test('counts a node that does not answer', () => {
    const facts = { id: 'a', host: 'h', pid: 1, version: '1', startedAt: '' };
    expect(titleOf([leader], { nodes: [{ ...facts, why: 'gone' }] })).toMatch(/with 1 thing/);
  });
});
