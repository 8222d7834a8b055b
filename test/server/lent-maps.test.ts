/** Clients that stall in a value that lies in a map, over real sockets: the map stays until they are done. */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import { emptyStorage } from '../../src/storage/empty.ts';
import { openTableIn } from '../../src/storage/table/table.ts';
import { openTableMap } from '../../src/storage/table/table-map.ts';
import { temporaryFolder } from '../support/folder.ts';
import { infoOf } from '../support/storages.ts';
import { writeTable } from '../support/table-file.ts';

/** More than the system's own buffers take: its reply goes on only when the client reads. */
const VALUE = Buffer.alloc(30_000_000, 'a value of a table that was replaced; ');

const pem = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const TLS = { certFile: pem('server.pem'), keyFile: pem('server.key') };

function mapsIn(folder: string): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('-lock')).length;
}

interface Stalled {
  readonly server: ThreadServer;
  readonly socket: net.Socket;
  readonly folder: string;
}

/** A client that has asked for all of a value, and a swap to other data behind it. */
async function stalledOver(transport: string): Promise<Stalled> {
  const folder = temporaryFolder();
  const path = join(folder, 'table.mdb');
  await writeTable(path, [['key', VALUE]]);
  const map = await openTableMap(path);
  const table = await openTableIn(map.parts, infoOf(1, 1), () => map.release());
  const handler = createSimpleHandler(table);
  const access = transport === 'TLS' ? { allow: [], tls: TLS } : { allow: [] };
  const server = createServer({ handler, access, limits: { staleTimeoutMs: 1 } }) as ThreadServer;
  onTestFinished(() => server.close(0));
  const wanted: Address =
    transport === 'a UNIX socket'
      ? { kind: 'unix', path: join(folder, 'socket') }
      : { kind: 'tcp', host: '127.0.0.1', port: 0 };
  const address = await server.listen(wanted);
  const to = address.kind === 'unix' ? { path: address.path } : { port: address.port };
  const socket =
    transport === 'TLS'
      ? tls.connect({ ...to, host: '127.0.0.1', rejectUnauthorized: false })
      : net.connect(to as net.NetConnectOpts);
  onTestFinished(() => void socket.destroy());
  socket.write('get key\r\n');
  await new Promise((resolve) => socket.once('readable', resolve));
  handler.swap(emptyStorage);
  return { server, socket, folder };
}

describe.each(['TCP', 'TLS', 'a UNIX socket'])('over %s', (transport) => {
  test('a stalled client gets all of a value whose table was replaced, and then it is unmapped', async () => {
    const { socket, folder } = await stalledOver(transport);
    expect(mapsIn(folder)).toBe(1);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const head = `VALUE key 0 ${VALUE.length}\r\n`;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes === head.length + VALUE.length + '\r\nEND\r\n'.length) break;
    }
    const reply = Buffer.concat(chunks);
    expect(reply.toString('latin1', 0, head.length)).toBe(head);
    expect(reply.subarray(head.length, -'\r\nEND\r\n'.length).equals(VALUE)).toBe(true);
    await expect.poll(() => mapsIn(folder)).toBe(0);
  });

  test.each<[string, (stalled: Stalled) => void]>([
    ['the client ends it', ({ socket }) => void socket.end(() => socket.destroy())],
    ['the client closes it', ({ socket }) => void socket.destroy()],
    ['the client resets it', ({ socket }) => void reset(socket)],
    ['the server cuts it off', ({ server }) => server.noteSwap()],
    ['the server closes', ({ server }) => void server.close(0)],
  ])('a table that was replaced is unmapped when %s', async (_, end) => {
    const stalled = await stalledOver(transport);
    expect(mapsIn(stalled.folder)).toBe(1);
    end(stalled);
    await expect.poll(() => mapsIn(stalled.folder)).toBe(0);
  });
});

/** Only TCP has a reset. */
function reset(socket: net.Socket): void {
  if (socket instanceof tls.TLSSocket || socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
