// A storage of your own: answers any number with its square. node squares.mjs [ADDRESS]
import process from 'node:process';
import { createServer, formatAddress, parseAddress } from 'goromdb';

const squares = {
  info: { generation: 1, keys: 0, bytes: 0, md5: '', format: 'squares', loadedAt: Date.now() },

  /** The key is the bytes of `key` from `start` to `end`. undefined: there is no such key. */
  get(key, start, end) {
    const text = key.toString('latin1', start, end);
    if (!/^\d{1,9}$/.test(text)) return undefined;
    const buffer = Buffer.from(String(BigInt(text) ** 2n));
    return { buffer, valueStart: 0, valueEnd: buffer.length, flags: 0, cas: 1, wireStart: -1 };
  },

  close() {},
};

const server = createServer({ storage: squares });
const address = await server.listen(parseAddress(process.argv[2] ?? '127.0.0.1:11211'));
console.log(`listens on ${formatAddress(address)}`);
process.once('SIGTERM', () => server.close());
