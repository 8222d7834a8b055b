import type { TextClient } from '../support/text-client.ts';

/** What a client is answered of one key. */
export interface Found {
  readonly key: string;
  readonly value: Buffer;
  /** The generation, where the protocol has it. */
  readonly cas: number | undefined;
}

/** How clients ask: each form of request is answered from one generation. */
export interface Dialect {
  readonly name: string;
  /** Keys of one request at most. */
  readonly keysMax: number;
  /** @returns The hits, in the order of the keys. */
  ask(client: TextClient, keys: readonly string[]): Promise<readonly Found[]>;
}

/** Bytes of a header of memcached's binary protocol. */
const HEADER_BYTES = 24;
const GETK = 0x0c;
const NOT_FOUND = 1;

const text: Dialect = {
  name: 'text',
  keysMax: 20,
  ask: async (client, keys) =>
    (await client.get(keys, 'gets')).map(({ key, value, cas }) => ({ key, value, cas })),
};

const meta: Dialect = {
  name: 'meta',
  keysMax: 1,
  ask: async (client, [key]) => {
    client.send(`mg ${key} v k c\r\n`);
    const line = await client.readLine();
    if (line === `EN k${key}`) return [];
    const match = /^VA (\d+) k(\S+) c(\d+)$/.exec(line);
    if (match === null) throw new Error(`expected VA or EN, found ${JSON.stringify(line)}`);
    const value = await client.read(Number(match[1]) + 2);
    return [{ key: match[2], value: value.subarray(0, -2), cas: Number(match[3]) }];
  },
};

const resp: Dialect = {
  name: 'resp',
  keysMax: 20,
  ask: async (client, keys) => {
    const words = ['MGET', ...keys].map((word) => `$${word.length}\r\n${word}\r\n`);
    client.send(`*${words.length}\r\n${words.join('')}`);
    const count = await client.readLine();
    if (count !== `*${keys.length}`) throw new Error(`expected *${keys.length}, found ${count}`);
    const hits: Found[] = [];
    for (const key of keys) {
      const length = /^\$(-1|\d+)$/.exec(await client.readLine())?.[1];
      if (length === undefined) throw new Error(`expected a length for ${key}`);
      if (length === '-1') continue;
      const value = await client.read(Number(length) + 2);
      hits.push({ key, value: value.subarray(0, -2), cas: undefined });
    }
    return hits;
  },
};

const binary: Dialect = {
  name: 'binary',
  keysMax: 1,
  ask: async (client, [key]) => {
    const request = Buffer.alloc(HEADER_BYTES + key.length);
    request[0] = 0x80;
    request[1] = GETK;
    request.writeUInt16BE(key.length, 2);
    request.writeUInt32BE(key.length, 8);
    request.write(key, HEADER_BYTES, 'latin1');
    client.send(request);
    const header = await client.read(HEADER_BYTES);
    const body = await client.read(header.readUInt32BE(8));
    if (header[0] !== 0x81 || header[1] !== GETK) {
      throw new Error(`expected the answer to a getk, found ${header.toString('hex')}`);
    }
    if (header.readUInt16BE(6) === NOT_FOUND) return [];
    const keyStart = header[4];
    const valueStart = keyStart + header.readUInt16BE(2);
    const cas = Number(header.readBigUInt64BE(16));
    return [
      {
        key: body.toString('latin1', keyStart, valueStart),
        value: body.subarray(valueStart),
        cas,
      },
    ];
  },
};

export const DIALECTS: readonly Dialect[] = [text, meta, resp, binary];
