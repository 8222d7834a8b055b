import { generatedValue } from './data-set.ts';
import type { Expectation } from './reply-check.ts';
import { type RespValue, readResp } from './resp.ts';

/**
 * Compares all that came back for one batch of `GET` and `MGET`, byte by byte, with what was asked:
 * for each key its value, or null.
 *
 * @returns What is wrong; undefined when all is right.
 */
export function checkRedisReplies(
  request: Buffer,
  reply: Buffer,
  { valueBytes }: Expectation,
): string | undefined {
  let at = 0;
  for (const [command, ...keys] of requestsIn(request)) {
    let answer: ReturnType<typeof readResp>;
    try {
      answer = readResp(reply, at);
    } catch (error) {
      return (error as Error).message;
    }
    if (answer === undefined) return 'the reply ends within a value';
    at = answer.end;
    const values = command === 'GET' ? [answer.value] : itemsOf(answer.value);
    if (values.length !== keys.length) {
      return `${shown(answer.value)} in place of an array of ${keys.length}`;
    }
    for (const [i, key] of keys.entries()) {
      const fault = checkValue(key, values[i], valueBytes);
      if (fault !== undefined) return fault;
    }
  }
  return at === reply.length ? undefined : 'more came back than was asked for';
}

/** Splits a batch of `buildRequests` into requests, and each into words. */
function requestsIn(batch: Buffer): readonly (readonly string[])[] {
  const requests: (readonly string[])[] = [];
  for (let at = 0; at < batch.length; ) {
    const { value, end } = readResp(batch, at)!;
    requests.push(itemsOf(value).map((item) => (item.kind === 'string' ? item.text : '')));
    at = end;
  }
  return requests;
}

function itemsOf(value: RespValue): readonly RespValue[] {
  return value.kind === 'array' ? value.items : [];
}

function checkValue(
  key: string,
  value: RespValue,
  valueBytes: number | undefined,
): string | undefined {
  if (value.kind === 'null') return undefined;
  if (value.kind !== 'string') return `${shown(value)} in place of the value of ${key}`;
  const right = valueBytes === undefined ? undefined : generatedValue(key, valueBytes);
  return right === undefined || value.text === right
    ? undefined
    : `the value of ${key} is not its own`;
}

function shown(value: RespValue): string {
  return 'text' in value ? JSON.stringify(value.text.slice(0, 100)) : `an ${value.kind}`;
}
