import { expect, test } from 'vitest';
import { KeptItem } from '../../src/once/kept-item.ts';
import { KeptItems } from '../../src/once/kept-items.ts';
import { Shortcuts } from '../../src/once/shortcuts.ts';
import { BATCH_KEYS_MAX } from '../../src/storage/storage.ts';
import { seededRandom } from '../support/random.ts';

function itemOf(name: string) {
  return { value: Buffer.from(`value of ${name}`), flags: 7, type: '', revision: 5 };
}

function put(items: KeptItems, name: string): void {
  items.set(Buffer.from(name), itemOf(name));
}

/** @returns The value of a key, with what memcached says before and behind it. */
function found(items: KeptItems, name: string): string | undefined {
  const item = items.get(Buffer.from(`xx${name}yy`), 2, 2 + Buffer.byteLength(name));
  return item?.buffer.toString('utf8', item.wireStart, item.valueEnd + 2);
}

function wireOf(name: string): string {
  const value = `value of ${name}`;
  return `${name} 7 ${Buffer.byteLength(value)}\r\n${value}\r\n`;
}

test('each of many keys is found, alone and side by side, and no other one', () => {
  const items = new KeptItems(1e8);
  const names = Array.from({ length: 20_000 }, (_, i) => `key ${i} é`);
  for (const name of names) put(items, name);
  const random = seededRandom(3);
  for (let round = 0; round < 300; round++) {
    const asked = Array.from({ length: BATCH_KEYS_MAX }, () => {
      const name = names[Math.floor(random() * names.length)];
      return random() < 0.3 ? `no ${name}` : name;
    });
    const bounds = new Int32Array(2 * BATCH_KEYS_MAX);
    let end = 0;
    for (const [i, name] of asked.entries()) {
      bounds[2 * i] = end;
      end += Buffer.byteLength(name);
      bounds[2 * i + 1] = end;
    }
    items.locate(Buffer.from(asked.join('')), bounds, BATCH_KEYS_MAX);
    for (const [i, name] of asked.entries()) {
      const expected = name.startsWith('no ') ? undefined : wireOf(name);
      const item = items.entry(i);
      expect(item?.buffer.toString('utf8', 0, item.valueEnd + 2)).toBe(expected);
      expect(found(items, name)).toBe(expected);
    }
  }
});

test('what is used stays, and what was not used for longest goes', () => {
  const items = new KeptItems(1_000_000);
  const used = Array.from({ length: 900 }, (_, i) => `used${i}`);
  for (const name of used) put(items, name);
  put(items, 'unused');
  for (let i = 0; i < 2_000; i++) {
    put(items, `k${i}`);
    for (const name of used.slice(i % 2 ? 450 : 0, i % 2 ? 900 : 450)) found(items, name);
  }
  expect(used.filter((name) => found(items, name) === undefined)).toEqual([]);
  expect(items.bytes).toBeLessThanOrEqual(1_000_000);
  expect(items.size).toBeLessThan(1_200);
  expect(found(items, 'unused')).toBeUndefined();
  expect(found(items, 'k1999')).toBe(wireOf('k1999'));
  expect(found(items, 'k10')).toBeUndefined();
});

test('what made room is not kept by a shortcut', () => {
  const shortcuts = new Shortcuts();
  const key = Buffer.from('k');
  const item = new KeptItem(key.toString('latin1'), 42, itemOf('k'));
  shortcuts.put(item, 1);
  expect(shortcuts.find(42, key, 0, 1)).toBe(item);
  shortcuts.remove(item);
  expect(shortcuts.find(42, key, 0, 1)).toBeUndefined();
  expect(shortcuts.guess(42)).toBeUndefined();
});

test('keys of one hash do not hide each other for longer than a lookup by their text', () => {
  const shortcuts = new Shortcuts();
  const keys = Array.from({ length: 6 }, (_, i) => Buffer.from(`k${i}`));
  const items = keys.map((key) => new KeptItem(key.toString('latin1'), -7, itemOf(String(key))));
  for (const item of items) shortcuts.put(item, 6);
  const near = keys.map((key) => shortcuts.find(-7, key, 0, key.length));
  expect(near.filter((item) => item !== undefined).length).toBe(4);
  for (const [i, item] of near.entries()) {
    if (item !== undefined) expect(item).toBe(items[i]);
  }
});
