import { describe, expect, test, vi } from 'vitest';
import { DataSetsHandler } from '../../src/handler/data-sets.ts';
import type { View } from '../../src/handler/handler.ts';
import { Routes } from '../../src/handler/routes.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { MapStorage, tableOf } from '../support/storages.ts';

function textOf(view: View, key: string): string | undefined {
  const bytes = Buffer.from(`..${key}..`);
  const entry = view.get(bytes, 2, bytes.length - 2);
  return entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
}

function keysOf(view: View, limit: number): string[] {
  const keys: string[] = [];
  let cursor = 0;
  do {
    cursor = view.scan!(cursor, limit, (key, start, end) => {
      keys.push(key.toString('latin1', start, end));
    });
    expect(Number.isSafeInteger(cursor)).toBe(true);
  } while (cursor !== 0);
  return keys;
}

function serve(sets: Readonly<Record<string, Storage>>, delimiter = ':'): DataSetsHandler {
  const handler = new DataSetsHandler(delimiter);
  let generation = 0;
  for (const [prefix, storage] of Object.entries(sets)) handler.put(prefix, storage, ++generation);
  return handler;
}

describe('Routes', () => {
  const routes = (delimiter: string): Routes<string> => {
    const names = ['geo', 'gex', 'users', ''];
    return new Routes(
      delimiter,
      names.map((prefix) => ({ prefix, target: prefix === '' ? 'rest' : prefix })),
    );
  };
  test.each([
    ['geo:1', 'geo'],
    ['gex:1', 'gex'],
    ['users:geo:1', 'users'],
    ['geo:', 'geo'],
    ['geo', 'rest'],
    ['geos:1', 'rest'],
    ['ge:1', 'rest'],
    ['1:geo:1', 'rest'],
    [':geo:1', 'rest'],
    ['', 'rest'],
    [`${'x'.repeat(500)}:1`, 'rest'],
  ])('leads %j to %s', (key, target) => {
    const bytes = Buffer.from(`geo:${key}:users:`);
    expect(routes(':').find(bytes, 4, 4 + key.length)).toBe(target);
  });

  test('takes a delimiter of several bytes, and a part of it for none', () => {
    expect(routes('::').find(Buffer.from('geo::1'), 0, 6)).toBe('geo');
    expect(routes('::').find(Buffer.from('geo:1'), 0, 5)).toBe('rest');
    expect(routes('::').find(Buffer.from('geo::'), 0, 4)).toBe('rest');
  });

  test('finds nothing for other keys when there is no target without a prefix', () => {
    const only = new Routes(':', [{ prefix: 'geo', target: 1 }]);
    expect(only.find(Buffer.from('users:1'), 0, 7)).toBeUndefined();
  });
});

describe('DataSetsHandler', () => {
  test('answers each key from the data set of its prefix, in wire form', () => {
    const handler = serve({
      '': tableOf([['plain', 'rest']]),
      geo: tableOf([['geo:1', 'Berlin']]),
      users: tableOf([['users:1', 'Ann']]),
    });
    const view = handler.view();
    expect(['geo:1', 'users:1', 'plain', 'geo:2'].map((key) => textOf(view, key))).toEqual([
      'Berlin',
      'Ann',
      'rest',
      undefined,
    ]);
    const key = Buffer.from('geo:1');
    expect(view.get(key, 0, key.length)!.wireStart).toBeGreaterThan(0);
  });

  test('shows a view the storages of its moment until it is released, and closes them then', () => {
    const old = new MapStorage([['geo:1', 'old']]);
    const other = new MapStorage([['users:1', 'Ann']]);
    const handler = serve({ geo: old, users: other });
    const view = handler.view();
    handler.put('geo', new MapStorage([['geo:1', 'new']]), 9);
    expect(textOf(view, 'geo:1')).toBe('old');
    const next = handler.view();
    expect(textOf(next, 'geo:1')).toBe('new');
    expect(textOf(next, 'users:1')).toBe('Ann');
    expect(old.isClosed).toBe(false);
    view.release();
    expect(old.isClosed).toBe(true);
    expect(other.isClosed).toBe(false);
    next.release();
    handler.remove('users', 10);
    expect(other.isClosed).toBe(true);
    expect(textOf(handler.view(), 'users:1')).toBeUndefined();
  });

  test.each([1, 2, 3, 100])('walks the keys of all data sets, %d at a time', (limit) => {
    const handler = serve({
      users: tableOf([
        ['users:1', 'a'],
        ['users:2', 'b'],
      ]),
      empty: tableOf([]),
      '': tableOf([
        ['plain', 'c'],
        ['geo:hidden', 'nobody can ask for it'],
        ['other:1', 'd'],
      ]),
      geo: tableOf([['geo:1', 'e']]),
    });
    expect(keysOf(handler.view(), limit).sort()).toEqual([
      'geo:1',
      'other:1',
      'plain',
      'users:1',
      'users:2',
    ]);
  });

  test('reports all data sets together, and each', () => {
    const handler = serve({
      geo: tableOf([['geo:1', 'x']], 3),
      users: tableOf([], 5),
    });
    const { info } = handler.view();
    expect(info).toMatchObject({ generation: 2, keys: 1, format: 'test' });
    expect([...info.dataSets!].map(([prefix, own]) => [prefix, own.generation])).toEqual([
      ['geo', 3],
      ['users', 5],
    ]);
  });

  test('finds keys side by side, of one data set or of several', () => {
    const geo = tableOf([
      ['geo:1', 'x'],
      ['geo:2', 'y'],
    ]);
    const locate = vi.spyOn(geo.batch!, 'locate');
    const users = new MapStorage([['users:1', 'z']]);
    const { batch } = serve({ geo, users }).view();
    const found = (keys: string): (string | undefined)[] => {
      const bounds = Array.from(keys.matchAll(/\S+/g), (word) => [
        word.index,
        word.index + word[0].length,
      ]);
      batch!.locate(Buffer.from(keys), Int32Array.from(bounds.flat()), bounds.length);
      return bounds.map((_, i) => {
        const entry = batch!.entry(i);
        return entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
      });
    };
    expect(found('geo:2 geo:1 geo:3')).toEqual(['y', 'x', undefined]);
    expect(locate).toHaveBeenCalledOnce();
    expect(found('geo:2 users:1 geo:1 none')).toEqual(['y', 'z', 'x', undefined]);
    expect(found('users:1 users:2')).toEqual(['z', undefined]);
    expect(found('none any')).toEqual([undefined, undefined]);
    expect(locate).toHaveBeenCalledOnce();
  });
});
