import { BOTH_FORMS_PREFIX } from './data-set.ts';

/** Something that this server answers otherwise than memcached, and why. */
interface IntendedDifference {
  readonly name: string;
  readonly reason: string;
  /** Makes the line of either server the same; undefined when a line vanishes. */
  readonly normalize: (line: string) => string | undefined;
}

/** Outcomes of writes, and of nothing else. */
const OUTCOMES = new Set(['STORED', 'NOT_STORED', 'EXISTS', 'NOT_FOUND', 'TOUCHED', 'DELETED']);

/** Opaques that the generator gives to meta commands that write; QUIET also those with q. */
const META_WRITE = / Ow\d+( |$)/;
const QUIET_META_WRITE = / Owq\d+( |$)/;

/**
 * All differences that the comparison looks away from. Lines of values are never looked at: they
 * must be the same bytes.
 */
const INTENDED_DIFFERENCES: readonly IntendedDifference[] = [
  {
    name: 'cas numbers',
    reason: 'memcached numbers each write; here it is the generation that a record came with',
    normalize: (line) =>
      line.startsWith('VALUE ')
        ? line.replace(/^(VALUE [^ ]+ \d+ \d+) \d+$/, '$1 <cas>')
        : withTokens(line, (token) => (/^c\d+$/.test(token) ? 'c<cas>' : token)),
  },
  {
    name: 'access times and hits by key',
    reason: 'reading leaves no trace here: h is 0, and l tells when the data set was loaded',
    normalize: (line) =>
      withTokens(line, (token) => token.replace(/^l\d+$/, 'l<la>').replace(/^h[01]$/, 'h<hit>')),
  },
  {
    name: 'what `me` tells of an item',
    reason: 'access times as above; class and size are those of memcached’s own memory',
    normalize: (line) =>
      line.replace(
        /^(ME [^ ]+ exp=-1) la=\d+ cas=\d+ fetch=(yes|no) cls=\d+ size=\d+$/,
        '$1 la= cas= fetch= cls= size=',
      ),
  },
  {
    name: 'the form of keys in meta replies',
    reason:
      'a key comes back in the form it was asked for in, which the client can read; memcached ' +
      'uses the form in which it was stored, which a file does not have',
    normalize: normalizeKeyForm,
  },
  {
    name: 'writes',
    reason: 'they are refused; compared is only that each is answered by one line',
    normalize: (line) => (OUTCOMES.has(line) ? '<outcome>' : line),
  },
  {
    name: 'meta writes',
    reason: 'as other writes',
    normalize: (line) => (META_WRITE.test(line) ? line.replace(/^(HD|NS|EX|NF)/, '<meta>') : line),
  },
  {
    name: 'quiet meta writes',
    reason: 'q hides success, and a refusal is none: a client learns that nothing was stored',
    normalize: (line) => (QUIET_META_WRITE.test(line) ? undefined : line),
  },
];

/** Changes the tokens of a reply to `mg`. */
function withTokens(line: string, change: (token: string) => string): string {
  if (!/^(HD|VA \d+)( |$)/.test(line)) return line;
  return line.split(' ').map(change).join(' ');
}

/** Only for keys that are asked for in both forms; all others must match as they are. */
function normalizeKeyForm(line: string): string {
  const encoded = /^((?:HD|VA \d+)(?: .*)?) k([A-Za-z0-9+/=]+) b(?= |$)|^ME ([A-Za-z0-9+/=]+)/.exec(
    line,
  );
  const text = encoded?.[2] ?? encoded?.[3];
  if (text === undefined) return line;
  const key = Buffer.from(text, 'base64').toString('latin1');
  if (!key.startsWith(BOTH_FORMS_PREFIX)) return line;
  return line.replace(` k${text} b`, ` k${key}`).replace(`ME ${text} `, `ME ${key} `);
}

/** The text that is compared: replies with their lines normalised and their values as they are. */
export function normalize(output: Buffer): string {
  const parts: string[] = [];
  for (let at = 0; at < output.length; ) {
    const lineEnd = output.indexOf('\r\n', at);
    if (lineEnd < 0) {
      parts.push(output.toString('latin1', at));
      break;
    }
    const line = output.toString('latin1', at, lineEnd);
    const normal = normalizeLine(line);
    if (normal !== undefined) parts.push(`${normal}\r\n`);
    at = lineEnd + 2;
    const valueBytes = /^VALUE [^ ]+ \d+ (\d+)|^VA (\d+)/.exec(line);
    if (valueBytes === null) continue;
    const valueEnd = at + Number(valueBytes[1] ?? valueBytes[2]) + 2;
    parts.push(output.toString('latin1', at, valueEnd));
    at = valueEnd;
  }
  return parts.join('');
}

function normalizeLine(line: string): string | undefined {
  let normal: string | undefined = line;
  for (const difference of INTENDED_DIFFERENCES) {
    if (normal === undefined) return undefined;
    normal = difference.normalize(normal);
  }
  return normal;
}
