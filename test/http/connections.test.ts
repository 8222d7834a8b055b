import { EventEmitter } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { Connections } from '../../src/http/connections.ts';

class FakeSocket extends EventEmitter {
  isDestroyed = false;

  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

it('while all connections are being answered, a further one is closed, and none of them', () => {
  const server = new EventEmitter();
  const connections = new Connections(server as unknown as Server);
  const responses = Array.from({ length: 64 }, () => new EventEmitter());
  const busy = responses.map((response) => {
    const socket = new FakeSocket();
    server.emit('connection', socket);
    const request = { socket } as unknown as Parameters<Connections['noteRequest']>[0];
    connections.noteRequest(request, response as unknown as ServerResponse);
    return socket;
  });
  const further = new FakeSocket();
  server.emit('connection', further);
  expect(further.isDestroyed).toBe(true);
  expect(busy.some((socket) => socket.isDestroyed)).toBe(false);
  responses[5].emit('close');
  server.emit('connection', new FakeSocket());
  expect(busy.map((socket) => socket.isDestroyed).indexOf(true)).toBe(5);
});
