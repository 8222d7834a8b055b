import { expect } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { TextClient } from './text-client.ts';

/**
 * Waits until a server is done with so many loads: its log says a moment before that a generation serves, and
 * until then a rollback is refused.
 */
export async function loadsAreDone(address: Address, count: number): Promise<void> {
  const client = await TextClient.connect(address);
  await expect.poll(async () => (await client.stats()).loads_taken).toBe(String(count));
  client.close();
}
