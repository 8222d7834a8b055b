import { readFileSync } from 'node:fs';
import { type Address, formatAddress } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { explained } from '../common/system-fault.ts';
import { connectTo } from './connect.ts';
import { RedisClient } from './redis-client.ts';
import type { KeySource } from './requests.ts';
import type { RespValue } from './resp.ts';

/** Most keys that are read; the rest of a larger data set is left out. */
const KEYS_MAX = 1_000_000;

/** memcached's limit. */
const KEY_BYTES_MAX = 250;

/** Of an answer that is no key. */
const LINE_SHOWN_MAX = 100;

/** How long the server may be silent while it sends its keys. */
const SILENCE_MS = 5_000;

/**
 * Reads keys from a file, one a line.
 *
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID when a line is no key.
 */
export function keysOfFile(path: string): KeySource {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (cause) {
    throw new GoromdbError(
      'FILE_UNREADABLE',
      `cannot read ${path}: ${messageOf(explained(cause, path))}`,
      {
        cause,
      },
    );
  }
  const keys = text.split(/\r?\n/).filter((line) => line !== '');
  const bad = keys.findIndex((key) => !isKey(key));
  if (bad >= 0) {
    const message = `${path}: expected one key of 1 to ${KEY_BYTES_MAX} bytes without spaces a line; found ${JSON.stringify(keys[bad].slice(0, 40))}`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  if (keys.length === 0) throw new GoromdbError('OPTION_INVALID', `${path}: there are no keys`);
  return { kind: 'list', keys: keys.slice(0, KEYS_MAX) };
}

function isKey(text: string): boolean {
  return text.length <= KEY_BYTES_MAX && /^[^\0- \x7f]+$/.test(text);
}

/**
 * Asks a server for its keys by `lru_crawler metadump all`, which memcached and goromdb have.
 *
 * @throws GoromdbError LOAD_FAILED when it sends none.
 */
export async function keysOfServer(address: Address): Promise<KeySource> {
  const keys: string[] = [];
  let rest = '';
  let found = 'none';
  try {
    for await (const chunk of ask(address, 'lru_crawler metadump all\r\n')) {
      const lines = (rest + chunk).split(/\r?\n/);
      rest = lines.pop() ?? '';
      let isOver = false;
      for (const line of lines) {
        const key = /^key=(\S+) /.exec(line)?.[1];
        if (key === undefined) {
          isOver = true;
          if (line !== 'END') found = JSON.stringify(line.slice(0, LINE_SHOWN_MAX));
        } else if (isKey(unescapeKey(key))) keys.push(unescapeKey(key));
      }
      if (isOver || keys.length >= KEYS_MAX) break;
    }
  } catch (cause) {
    const message = `cannot read the keys of ${formatAddress(address)}: ${messageOf(explained(cause, formatAddress(address)))}`;
    throw new GoromdbError('LOAD_FAILED', message, { cause });
  }
  if (keys.length === 0) {
    const message = `${formatAddress(address)}: expected keys from "lru_crawler metadump all", found ${found}: fill it with -fill, or give -keys or -keys-file; a Redis server needs -command redis, and one with a login cannot be measured`;
    throw new GoromdbError('LOAD_FAILED', message);
  }
  return { kind: 'list', keys: keys.slice(0, KEYS_MAX) };
}

/** A key as `metadump` writes it: bytes that a URL cannot hold as `%` and two digits. */
function unescapeKey(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/**
 * Asks a server for the keys of its strings by Redis' `SCAN`.
 *
 * @throws GoromdbError LOAD_FAILED when it sends none.
 */
export async function keysOfRedis(address: Address): Promise<KeySource> {
  const client = new RedisClient(address);
  const keys: string[] = [];
  try {
    let cursor = '0';
    do {
      const reply = await client.ask(['SCAN', cursor, 'COUNT', '1000', 'TYPE', 'string']);
      const [next, found] = itemsOf(reply);
      for (const key of itemsOf(found)) keys.push(textOf(key));
      cursor = textOf(next);
    } while (cursor !== '0' && keys.length < KEYS_MAX);
  } catch (cause) {
    const message = `cannot read the keys of ${formatAddress(address)}: ${messageOf(explained(cause, formatAddress(address)))}`;
    throw new GoromdbError('LOAD_FAILED', message, { cause });
  } finally {
    client.close();
  }
  if (keys.length === 0) {
    const message = `${formatAddress(address)}: expected keys of strings from "SCAN", found none: fill it with -fill, or give -keys or -keys-file`;
    throw new GoromdbError('LOAD_FAILED', message);
  }
  return { kind: 'list', keys: keys.slice(0, KEYS_MAX) };
}

/** @throws SyntaxError when the server answered something else. */
function itemsOf(value: RespValue | undefined): readonly RespValue[] {
  if (value?.kind === 'array') return value.items;
  throw new SyntaxError(`SCAN was answered with ${JSON.stringify(value)}`);
}

/** @throws SyntaxError when the server answered something else. */
function textOf(value: RespValue | undefined): string {
  if (value?.kind === 'string') return value.text;
  throw new SyntaxError(`SCAN was answered with ${JSON.stringify(value)}`);
}

async function* ask(address: Address, command: string): AsyncGenerator<string> {
  const socket = connectTo(address);
  try {
    socket.setEncoding('latin1');
    socket.setTimeout(SILENCE_MS, () => {
      socket.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`));
    });
    socket.write(command);
    for await (const chunk of socket) yield chunk as string;
  } finally {
    socket.destroy();
  }
}
