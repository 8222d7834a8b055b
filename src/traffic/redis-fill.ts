import { type Address, formatAddress } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { type GeneratedData, generatedKey, generatedValue } from './data-set.ts';
import { RedisClient } from './redis-client.ts';
import type { RespValue } from './resp.ts';

/** Bytes of values that one `MSET` stores. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Stores the generated data set in a server that takes `MSET`, as Redis does.
 *
 * @throws GoromdbError LOAD_FAILED when it refuses one.
 */
export async function fillRedis(address: Address, data: GeneratedData): Promise<void> {
  const where = formatAddress(address);
  const client = new RedisClient(address);
  const keysAtOnce = Math.ceil(BATCH_BYTES / (data.valueBytes + generatedKey(0).length));
  try {
    for (let id = 0; id < data.keys; ) {
      const words = ['MSET'];
      for (const end = Math.min(id + keysAtOnce, data.keys); id < end; id++) {
        const key = generatedKey(id);
        words.push(key, generatedValue(key, data.valueBytes)!);
      }
      const reply = await client.ask(words);
      if (reply.kind !== 'status') throw refusal(reply);
    }
  } catch (cause) {
    const message = `cannot fill ${where}: ${messageOf(cause)}`;
    throw new GoromdbError('LOAD_FAILED', message, { cause });
  } finally {
    client.close();
  }
}

function refusal(reply: RespValue): GoromdbError {
  const found = 'text' in reply ? JSON.stringify(reply.text) : reply.kind;
  const message = `expected "MSET" to be answered with OK, found ${found}; a read-only server is filled with a file`;
  return new GoromdbError('LOAD_FAILED', message);
}
