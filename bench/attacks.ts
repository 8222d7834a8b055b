import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { withFolder } from './contest.ts';
import { drop, md5Of } from './data.ts';
import { placesFor } from './machine.ts';
import type { Effort, Note, SectionResult } from './result.ts';
import { VALUE_BYTES } from './scenarios.ts';
import { fileOf, startGoromdb } from './servers.ts';

/** Long keys of the data set, and their length in bytes: as long as a file can hold. */
const LONG_KEYS = 100;
const LONG_KEY_BYTES = 65_000;
const SHORT_KEYS = 10_000;

/** How often the good client asks, in milliseconds. */
const ASK_INTERVAL_MS = 2;

/** Bytes of an attack that are sent before any of it is answered. */
const PIPELINED_BYTES = 64 * 1024;

/** A request that costs the server as much as it can, and is sent again and again. */
interface Attack {
  readonly name: string;
  readonly request: Buffer;
}

function redis(name: string, args: readonly string[]): Attack {
  const bulks = args.map((arg) => `$${arg.length}\r\n${arg}\r\n`);
  return { name, request: Buffer.from(`*${args.length}\r\n${bulks.join('')}`) };
}

function times(count: number, arg: string): readonly string[] {
  return Array<string>(count).fill(arg);
}

const PATTERN = `*${'a'.repeat(61)}b*`;
const TRANSACTION = '*1\r\n$5\r\nMULTI\r\n';
const PING = '*1\r\n$4\r\nPING\r\n';

const ATTACKS: readonly Attack[] = [
  { name: 'nothing', request: Buffer.alloc(0) },
  redis('SCAN with MATCH over long keys', ['SCAN', '0', 'MATCH', PATTERN, 'COUNT', '1000']),
  redis('KEYS over long keys', ['KEYS', PATTERN]),
  redis('CONFIG GET of 125 patterns', ['CONFIG', 'GET', ...times(125, '[^]'.repeat(21))]),
  redis('CONFIG GET of 112,000 patterns', ['CONFIG', 'GET', ...times(112_000, '[^]'.repeat(21))]),
  redis('COMMAND INFO of 500 names', ['COMMAND', 'INFO', ...times(500, 'get')]),
  redis('INFO', ['INFO']),
  redis('MGET of 200,000 keys', ['MGET', ...times(200_000, 'none')]),
  redis('EXISTS of 200,000 keys', ['EXISTS', ...times(200_000, 'none')]),
  {
    name: 'MULTI with 70,000 PING',
    request: Buffer.from(`${TRANSACTION}${PING.repeat(70_000)}*1\r\n$4\r\nEXEC\r\n`),
  },
  { name: 'get of 200,000 keys', request: Buffer.from(`get${' none'.repeat(200_000)}\r\n`) },
  { name: 'stats', request: Buffer.from('stats\r\n') },
  { name: 'metadump of long keys', request: Buffer.from('lru_crawler metadump all\r\n') },
];

/** How long a good client waits for a reply on a thread that is shared with an attacker. */
export async function attacks({ seconds }: Effort): Promise<SectionResult> {
  return withFolder(async (folder) => {
    await dropKeys(fileOf(folder, 'goromdb'));
    const data = { keys: SHORT_KEYS, valueBytes: VALUE_BYTES };
    const cpus = placesFor(1).server;
    const goromdb = await startGoromdb({ data, threads: 1, cpus, folder });
    const notes: Note[] = [];
    try {
      for (const attack of ATTACKS) {
        const stop = attackWith(attack.request, goromdb.port);
        const waitsMs = await waitsOf(goromdb.port, seconds * 1000);
        stop();
        const [p99, worst] = [0.99, 1].map((part) => {
          return waitsMs[Math.ceil(waitsMs.length * part) - 1].toFixed(1);
        });
        notes.push({ name: attack.name, text: `p99 ${p99} ms, worst ${worst} ms` });
      }
    } finally {
      await goromdb.stop();
    }
    return { rows: [], notes };
  });
}

async function dropKeys(file: string): Promise<void> {
  const long = 'a'.repeat(LONG_KEY_BYTES);
  const keys = [
    ...Array.from({ length: LONG_KEYS }, (_, i) => `${long}${i}`),
    ...Array.from({ length: SHORT_KEYS }, (_, i) => `key ${i}`),
  ];
  writeFileSync(`${file}.made`, JSON.stringify(Object.fromEntries(keys.map((key) => [key, 'v']))));
  drop(`${file}.made`, file, await md5Of(`${file}.made`));
}

/** Sends a request again as soon as something of it is answered. @returns What ends it. */
function attackWith(request: Buffer, port: number): () => void {
  if (request.length === 0) return () => {};
  const count = Math.max(1, Math.floor(PIPELINED_BYTES / request.length));
  const input = Buffer.concat(Array<Buffer>(count).fill(request));
  const socket = net.connect(port, '127.0.0.1');
  const send = (): void => {
    if (socket.writableLength === 0) socket.write(input);
  };
  socket.on('connect', send).on('data', send);
  socket.on('error', () => {});
  return () => socket.destroy();
}

/** Asks for a key every few milliseconds. @returns How long each reply took, the shortest first. */
async function waitsOf(port: number, ms: number): Promise<readonly number[]> {
  const socket = net.connect(port, '127.0.0.1').setNoDelay(true);
  const waitsMs: number[] = [];
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt) {
    const askedAt = performance.now();
    socket.write('get none\r\n');
    await once(socket, 'data');
    waitsMs.push(performance.now() - askedAt);
    await new Promise((wake) => setTimeout(wake, ASK_INTERVAL_MS));
  }
  socket.destroy();
  return waitsMs.toSorted((a, b) => a - b);
}
