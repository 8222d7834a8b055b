// Reads by the npm package ioredis: node read.mjs PORT KEY...
import process from 'node:process';
import { Redis } from 'ioredis';

const [port, ...keys] = process.argv.slice(2);
const client = new Redis(Number(port), '127.0.0.1');
const values = await client.mget(keys);
for (const [i, key] of keys.entries()) {
  if (values[i] !== null) console.log(`${key}: ${values[i]}`);
}
client.disconnect();
