// A scanner of your own: reads lines of `key=value`. See serve-pairs.mjs.
import { readFileSync } from 'node:fs';
import { GoromdbError } from 'goromdb';

export default {
  format: 'pairs',

  /** Yields each record to `sink`; throws a GoromdbError when the file is bad. */
  async scan(input, _options, sink) {
    const lines = readFileSync(input.fd, 'utf8').split('\n');
    for (const [number, line] of lines.entries()) {
      if (line === '') continue;
      const at = line.indexOf('=');
      if (at === -1) {
        throw new GoromdbError('DATA_CORRUPT', `${input.path}: line ${number + 1}: expected a "="`);
      }
      const key = Buffer.from(line.slice(0, at));
      const value = Buffer.from(line.slice(at + 1));
      sink.add(key, 0, key.length, value, 0, value.length, 0);
    }
  },
};
