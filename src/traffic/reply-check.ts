import { generatedValue } from './data-set.ts';

/** What the replies to one batch of requests should be. */
export interface Expectation {
  /** Length of generated values; undefined: the values are not known, only the keys are. */
  readonly valueBytes: number | undefined;
}

/**
 * Compares all that came back for one batch, byte by byte, with what was asked: each request's keys
 * in their order, misses left out, each generated key with its value.
 *
 * @returns What is wrong; undefined when all is right.
 */
export function checkReplies(
  request: Buffer,
  reply: Buffer,
  { valueBytes }: Expectation,
): string | undefined {
  let at = 0;
  for (const { keys, isMeta } of requestsIn(request)) {
    let next = 0;
    for (;;) {
      const lineEnd = reply.indexOf('\r\n', at, 'latin1');
      if (lineEnd < 0) return 'the reply ends within a line';
      const line = reply.toString('latin1', at, lineEnd);
      at = lineEnd + 2;
      if (line === (isMeta ? 'MN' : 'END')) break;
      const head = isMeta
        ? /^VA (?<bytes>\d+) k(?<key>\S+)$/.exec(line)
        : /^VALUE (?<key>\S+) \d+ (?<bytes>\d+)$/.exec(line);
      if (head?.groups === undefined)
        return `unexpected line ${JSON.stringify(line.slice(0, 100))}`;
      const { key, bytes } = head.groups;
      next = keys.indexOf(key, next) + 1;
      if (next === 0) return `a value for ${JSON.stringify(key)}, which was not asked for here`;
      const end = at + Number(bytes);
      const value = reply.toString('latin1', at, end);
      if (reply.toString('latin1', end, end + 2) !== '\r\n')
        return `the value of ${key} has no end`;
      const right = valueBytes === undefined ? undefined : generatedValue(key, valueBytes);
      if (right !== undefined && value !== right) return `the value of ${key} is not its own`;
      at = end + 2;
    }
  }
  return at === reply.length ? undefined : 'more came back than was asked for';
}

interface AskedKeys {
  readonly keys: readonly string[];
  readonly isMeta: boolean;
}

function requestsIn(batch: Buffer): readonly AskedKeys[] {
  const requests: AskedKeys[] = [];
  let metaKeys: string[] = [];
  for (const line of batch.toString('latin1').split('\r\n')) {
    const [command, ...words] = line.split(' ');
    if (command === 'get') requests.push({ keys: words, isMeta: false });
    else if (command === 'mg') metaKeys.push(words[0]);
    else if (command === 'mn') {
      requests.push({ keys: metaKeys, isMeta: true });
      metaKeys = [];
    }
  }
  return requests;
}
