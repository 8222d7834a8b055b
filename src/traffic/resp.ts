/** A value of Redis' protocol, version 2. Bytes are characters of latin1. */
export type RespValue =
  | { readonly kind: 'string' | 'status' | 'error' | 'integer'; readonly text: string }
  | { readonly kind: 'null' }
  | { readonly kind: 'array'; readonly items: readonly RespValue[] };

/** A request as all of Redis' clients send it: an array of strings, whose characters are bytes. */
export function respRequest(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

const LINE_KINDS = { '+': 'status', '-': 'error', ':': 'integer' } as const;

/**
 * Reads the value that begins at an offset.
 *
 * @returns It, and where it ends; undefined when its end is not there.
 * @throws SyntaxError when it is none.
 */
export function readResp(
  input: Buffer,
  at: number,
): { readonly value: RespValue; readonly end: number } | undefined {
  const lineEnd = input.indexOf('\r\n', at, 'latin1');
  if (lineEnd < 0) return undefined;
  const line = input.toString('latin1', at, lineEnd);
  const [first, text] = [line.slice(0, 1), line.slice(1)];
  const start = lineEnd + 2;
  if (first === '+' || first === '-' || first === ':') {
    return { value: { kind: LINE_KINDS[first], text }, end: start };
  }
  if ((first !== '$' && first !== '*') || !/^(?:-1|\d{1,10})$/.test(text)) {
    throw new SyntaxError(`expected a reply of Redis; found ${JSON.stringify(line.slice(0, 100))}`);
  }
  if (text === '-1') return { value: { kind: 'null' }, end: start };
  return first === '$'
    ? readString(input, start, Number(text))
    : readArray(input, start, Number(text));
}

function readString(input: Buffer, start: number, length: number): ReturnType<typeof readResp> {
  const end = start + length + 2;
  if (end > input.length) return undefined;
  if (input.toString('latin1', end - 2, end) !== '\r\n') {
    throw new SyntaxError('expected a string of the length in its header, found another');
  }
  return { value: { kind: 'string', text: input.toString('latin1', start, end - 2) }, end };
}

function readArray(input: Buffer, start: number, length: number): ReturnType<typeof readResp> {
  const items: RespValue[] = [];
  let end = start;
  while (items.length < length) {
    const item = readResp(input, end);
    if (item === undefined) return undefined;
    items.push(item.value);
    end = item.end;
  }
  return { value: { kind: 'array', items }, end };
}
