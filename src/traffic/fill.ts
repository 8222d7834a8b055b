import { once } from 'node:events';
import { type Address, formatAddress } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { connectTo } from './connect.ts';
import { type GeneratedData, generatedKey, generatedValue } from './data-set.ts';

/** Bytes that are sent with one write. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Stores the generated data set in a server that takes `set`, as memcached does.
 *
 * @throws GoromdbError LOAD_FAILED when it refuses, or does not store the last key.
 */
export async function fillServer(address: Address, data: GeneratedData): Promise<void> {
  const where = formatAddress(address);
  const socket = connectTo(address);
  socket.setNoDelay(true);
  let answer = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    answer = (answer + text).slice(0, 1000);
  });
  try {
    await once(socket, 'connect');
    for (let id = 0; id < data.keys; ) {
      let batch = '';
      for (; id < data.keys && batch.length < BATCH_BYTES; id++) batch += setCommand(id, data);
      if (!socket.write(batch, 'latin1')) await once(socket, 'drain');
      if (answer !== '') break;
    }
    socket.end();
    await once(socket, 'end');
  } catch (cause) {
    const message = `cannot fill ${where}: ${messageOf(cause)}`;
    throw new GoromdbError('LOAD_FAILED', message, { cause });
  } finally {
    socket.destroy();
  }
  if (answer === 'STORED\r\n') return;
  const found = JSON.stringify(answer.split('\r\n')[0]);
  const message = `cannot fill ${where}: expected the last "set" to be answered with STORED, found ${found}; a read-only server is filled with a file`;
  throw new GoromdbError('LOAD_FAILED', message);
}

/** Only the last one is answered. */
function setCommand(id: number, { keys, valueBytes }: GeneratedData): string {
  const key = generatedKey(id);
  const noreply = id === keys - 1 ? '' : ' noreply';
  return `set ${key} 0 0 ${valueBytes}${noreply}\r\n${generatedValue(key, valueBytes)}\r\n`;
}
