import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { Glob, PATTERN_BYTES_MAX } from '../../../src/protocol/resp/glob.ts';
import { KEYS_BYTES_MAX, KEYS_MAX, SCAN_COUNT_MAX } from '../../../src/protocol/resp/listing.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { contextOf } from '../../support/session.ts';
import { MapStorage, tableOf } from '../../support/storages.ts';
import { ask, keeping, parseReplies, req } from './harness.ts';

function numbered(count: number, generation = 7): Storage {
  const records = Array.from({ length: count }, (_, at) => [`key:${at}`, `${at}`] as const);
  return tableOf(records, generation);
}

const five = tableOf(['one', 'two', 'three', 'four', 'five'].map((key) => [key, key]));
const thousands = numbered(5_000);

/** A page of SCAN. */
type Page = readonly [cursor: string, keys: readonly string[]];

/** Scans on connections of one server, as a client does that has several. */
class Scanner {
  readonly handler;
  readonly #reply = new Reply();
  #session;

  constructor(storage: Storage) {
    this.handler = createSimpleHandler(keeping(storage));
    this.#session = respProtocol.createSession(contextOf(this.handler));
  }

  /** Turns to another thread, which has given no cursor yet. */
  changeThread(): void {
    this.#session = respProtocol.createSession(contextOf(this.handler));
  }

  page(cursor: string, options = ''): Page {
    const request = req('SCAN', cursor, ...options.split(' ').filter(Boolean));
    const used = this.#session.receive(request, 0, request.length, this.#reply);
    expect(used).toBe(request.length);
    const output = Buffer.concat(this.#reply.take()).toString('latin1');
    this.#reply.reset();
    return parseReplies(output)[0] as unknown as Page;
  }

  /** All pages up to the end. */
  all(options = ''): readonly Page[] {
    const pages: Page[] = [];
    let cursor = '0';
    do {
      pages.push(this.page(cursor, options));
      cursor = pages.at(-1)![0];
      expect(pages.length).toBeLessThan(10_000);
    } while (cursor !== '0');
    return pages;
  }
}

function keysOf(pages: readonly Page[]): readonly string[] {
  return pages.flatMap(([, keys]) => keys);
}

describe('SCAN', () => {
  it.each(['', 'COUNT 1', 'COUNT 7', 'COUNT 511', 'COUNT 512', 'COUNT 1000', 'COUNT 999999999'])(
    'shows every key once: %s',
    (options) => {
      const pages = new Scanner(thousands).all(options);
      const keys = keysOf(pages);
      expect(keys).toHaveLength(5_000);
      expect(new Set(keys).size).toBe(5_000);
      const count = Math.min(Number(options.slice(6) || 10), SCAN_COUNT_MAX);
      expect(Math.max(...pages.map(([, page]) => page.length))).toBe(count);
    },
  );

  it('shows keys once that came twice in the file', () => {
    const twice = [...Array(600).keys(), ...Array(600).keys()].map((at) => [`${at}`, 'v'] as const);
    const keys = keysOf(new Scanner(tableOf(twice)).all('COUNT 50'));
    expect(keys).toHaveLength(600);
    expect(new Set(keys).size).toBe(600);
  });

  it('shows keys that match', () => {
    const scanner = new Scanner(thousands);
    expect([...keysOf(scanner.all('MATCH key:4?99'))].sort()).toEqual(
      Array.from({ length: 10 }, (_, at) => `key:4${at}99`),
    );
    expect(keysOf(scanner.all('match nothing'))).toEqual([]);
    expect(keysOf(scanner.all('COUNT 100 TYPE string'))).toHaveLength(5_000);
    expect(scanner.page('0', 'TYPE list')).toEqual(['0', []]);
  });

  it('goes on in another thread, which has yet to find the place', () => {
    const many = numbered(50_000);
    const scanner = new Scanner(many);
    const keys: string[] = [];
    let cursor = '0';
    let pages = 0;
    do {
      const [next, page] = scanner.page(cursor, 'COUNT 1000');
      keys.push(...page);
      cursor = next;
      if (++pages % 20 === 0) scanner.changeThread();
      expect(pages).toBeLessThan(500);
    } while (cursor !== '0');
    expect(keys).toHaveLength(50_000);
    expect(new Set(keys).size).toBe(50_000);
    expect(pages).toBeGreaterThan(50);
  });

  it('serves several scans at a time', () => {
    const scanner = new Scanner(thousands);
    const cursors = Array.from({ length: 300 }, () => '0');
    const seen = cursors.map(() => new Set<string>());
    for (let round = 0; round < 6; round++) {
      for (const [at, cursor] of cursors.entries()) {
        const [next, page] = scanner.page(cursor, `COUNT ${840 + (at % 150)}`);
        for (const key of page) seen[at].add(key);
        cursors[at] = next;
      }
    }
    expect(new Set(cursors)).toEqual(new Set(['0']));
    expect(new Set(seen.map(({ size }) => size))).toEqual(new Set([5_000]));
  });

  it('begins anew with a cursor of an older generation', () => {
    const scanner = new Scanner(thousands);
    const [cursor] = scanner.page('0', 'COUNT 100');
    scanner.handler.swap(keeping(numbered(300, 8)));
    const [next, page] = scanner.page(cursor, 'COUNT 200');
    expect(page[0]).toBe('key:0');
    expect([...page, ...scanner.page(next, 'COUNT 200')[1]]).toHaveLength(300);
  });

  it('forgets its places when other data comes under the same number', () => {
    const scanner = new Scanner(thousands);
    const [cursor] = scanner.page('0', 'COUNT 600');
    const others = Array.from(
      { length: 1_000 },
      (_, at) => [`other:${at}`, '!'.repeat(at)] as const,
    );
    scanner.handler.swap(keeping(tableOf(others)));
    expect(scanner.page(cursor, 'COUNT 2')[1]).toEqual(['other:600', 'other:601']);
    expect(keysOf(scanner.all())).toHaveLength(1_000);
  });

  it('survives any cursor', () => {
    const scanner = new Scanner(thousands);
    const [known] = scanner.page('0', 'COUNT 3');
    const cursors = ['1', '12345', '-1', '', '00', '-', '18446744073709551615', '9007199254740991'];
    for (let add = -5; add <= 5_010; add += 7) cursors.push(String(Number(known) + add));
    for (const cursor of cursors) {
      const [next, page] = scanner.page(cursor);
      expect(page.length).toBeLessThanOrEqual(10);
      expect(next).toMatch(/^\d+$/);
      expect(Number.isSafeInteger(Number(next))).toBe(true);
    }
  });

  it.each([
    ['SCAN x', 'ERR invalid cursor'],
    ['SCAN 1x', 'ERR invalid cursor'],
    ['SCAN 18446744073709551616', 'ERR invalid cursor'],
    ['SCAN 99999999999999999999999', 'ERR invalid cursor'],
    ['SCAN 0 COUNT 0', 'ERR syntax error'],
    ['SCAN 0 COUNT -1', 'ERR syntax error'],
    ['SCAN 0 COUNT x', 'ERR value is not an integer or out of range'],
    ['SCAN 0 MATCH', 'ERR syntax error'],
    ['SCAN 0 FOO x', 'ERR syntax error'],
    ['SCAN 0 COUNT 3 MATCH x COUNT', 'ERR syntax error'],
    [
      `SCAN 0 MATCH ${'x'.repeat(PATTERN_BYTES_MAX + 1)}`,
      `ERR pattern is longer than ${PATTERN_BYTES_MAX} bytes`,
    ],
  ])('refuses what it cannot take: %.40s', (command, error) => {
    expect(ask(five, command)).toBe(`-${error}`);
  });

  it('is refused where the storage cannot list keys', () => {
    const storage = new MapStorage([['a', 'b']]);
    expect(ask(storage, 'SCAN 0')).toBe('-ERR this storage cannot list its keys');
    expect(ask(storage, 'KEYS *')).toBe('-ERR this storage cannot list its keys');
  });

  it('finds nothing in no data', () => {
    expect(ask(tableOf([]), 'SCAN 0')).toEqual(['0', []]);
    expect(ask(tableOf([]), 'KEYS *')).toEqual([]);
  });
});

describe('KEYS', () => {
  it('shows the keys that match', () => {
    expect(ask(five, 'KEYS *')).toEqual(['one', 'two', 'three', 'four', 'five']);
    expect(ask(five, 'KEYS t*')).toEqual(['two', 'three']);
    expect(ask(five, 'KEYS nothing')).toEqual([]);
    expect(ask(numbered(KEYS_MAX), 'KEYS *')).toHaveLength(KEYS_MAX);
    expect(ask(five, `KEYS ${'x'.repeat(300)}`)).toMatch(/^-ERR pattern is longer/);
  });

  it('is refused on many keys', () => {
    expect(ask(numbered(KEYS_MAX), 'KEYS key:77')).toEqual(['key:77']);
    expect(ask(numbered(KEYS_MAX + 1), 'KEYS key:77')).toBe(
      `-ERR KEYS is refused on more than ${KEYS_MAX} keys, use SCAN`,
    );
  });
});

describe('long keys', () => {
  const keyBytes = 65_535;
  const long = tableOf(
    Array.from({ length: 50 }, (_, i) => [`${'a'.repeat(keyBytes - 2)}${10 + i}`, 'v']),
  );

  it('are shown a few at a time by SCAN, each once', () => {
    const pages = new Scanner(long).all('COUNT 1000');
    expect(new Set(keysOf(pages)).size).toBe(50);
    expect(keysOf(pages)).toHaveLength(50);
    expect(Math.max(...pages.map(([, keys]) => keys.length))).toBeLessThan(10);
  });

  it('are too much for KEYS', () => {
    expect(ask(long, 'KEYS *')).toBe(
      `-ERR KEYS is refused on more than ${KEYS_BYTES_MAX} bytes of keys, use SCAN`,
    );
  });

  it('are shown beside a key that came again and again in the file', () => {
    const again = Array.from({ length: 20_000 }, (): [string, string] => ['again', 'v']);
    const storage = tableOf([['first', 'v'], ...again, ['last', 'v']]);
    const pages = new Scanner(storage).all('COUNT 1000');
    expect([...keysOf(pages)].sort()).toEqual(['again', 'first', 'last']);
    expect(pages.length).toBeGreaterThan(1);
  });
});

describe('a pattern', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['**', 'abc', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbd', false],
    ['a*b*c', 'a-b-b-c', true],
    ['*a', 'aaab', false],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h[ae]llo', 'hallo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hello', false],
    ['h[^e]llo', 'hallo', true],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['h[a-c]llo', 'hdllo', false],
    ['[a\\]]', ']', true],
    ['[\\-a]', '-', true],
    ['[a', 'a', true],
    ['[]', 'a', false],
    ['[^]', 'a', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a\\', 'a\\', true],
    ['[a-]', '-', false],
    ['\xff?', '\xff\0', true],
  ])('%j on %j: %s', (pattern, text, matches) => {
    const bytes = Buffer.from(`<${text}>`, 'latin1');
    expect(new Glob(Buffer.from(pattern, 'latin1')).matches(bytes, 1, bytes.length - 1)).toBe(
      matches,
    );
  });

  it('with many stars does not take long', () => {
    const text = Buffer.alloc(10_000, 'a');
    // Tried at every place for every star, it would outlive the test.
    expect(new Glob(Buffer.from(`${'a*'.repeat(31)}b`)).matches(text, 0, text.length)).toBe(false);
  });

  it('that is too long is a mistake of the caller', () => {
    expect(() => new Glob(Buffer.alloc(PATTERN_BYTES_MAX + 1))).toThrow(RangeError);
  });
});
