import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { messageOf } from '../../src/common/errors.ts';
import type { Client } from './once-history.ts';

const PATIENCE_MS = 8_000;
const REFUSED_MS = 20;

/** Asks a node as a client of Redis does, all requests over one connection. @param path Its socket. */
export function redisClient(path: string): Client {
  const redis = new Redis({
    ...{ path, commandTimeout: PATIENCE_MS, maxRetriesPerRequest: 0, enableOfflineQueue: false },
    ...{ autoResendUnfulfilledCommands: false, retryStrategy: () => REFUSED_MS },
  });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  return {
    isInOrder: true,
    async create(key, value) {
      try {
        await redis.set(key, value);
        return { kind: 'same' };
      } catch (error) {
        if (messageOf(error).startsWith('CONFLICT')) return { kind: 'conflict' };
        await delay(REFUSED_MS);
        return { kind: 'unknown' };
      }
    },
    async read(key) {
      try {
        const value = await redis.get(key);
        return value === null ? { kind: 'absent' } : { kind: 'found', value };
      } catch {
        await delay(REFUSED_MS);
        return { kind: 'unknown' };
      }
    },
  };
}
