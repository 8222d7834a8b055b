/** What runs in a serving thread: one server, which is told to listen, to swap and to close. */
import process from 'node:process';
import { workerData } from 'node:worker_threads';
import { collectGarbage } from '../collect-garbage.ts';
import type { Handler } from '../handler/handler.ts';
import { createSimpleHandler } from '../handler/simple.ts';
import { createLineLogger } from '../log.ts';
import { loadPlugin } from '../plugin.ts';
import type { Protocol, ServerFacts } from '../protocol/protocol.ts';
import { PROTOCOLS } from '../protocol/protocols.ts';
import { answerRequests } from '../rpc.ts';
import { emptyStorage } from '../storage/empty.ts';
import type { DataSetInfo, Storage } from '../storage/storage.ts';
import { openTable, type TableParts } from '../storage/table.ts';
import type { AccessOptions } from './access.ts';
import type { Address } from './address.ts';
import { ThreadServer } from './create-server.ts';
import type { Limits } from './limits.ts';
import type { ListenTarget } from './listener.ts';

/** What a thread is started with. */
export interface ThreadData {
  readonly thread: number;
  readonly protocol: string;
  readonly handler: string;
  readonly counterMemory: SharedArrayBuffer;
  readonly facts: ServerFacts;
  readonly limits: Limits;
  readonly access: AccessOptions;
}

export type ThreadRequest =
  | { readonly kind: 'listen'; readonly target: ListenTarget }
  | { readonly kind: 'swap'; readonly table: TableParts; readonly info: DataSetInfo }
  | { readonly kind: 'reload' }
  | { readonly kind: 'close'; readonly graceMs: number | undefined };

/** The reply to `listen`; the others have nothing to tell. */
export interface ThreadReply {
  readonly address?: Address | undefined;
  readonly fd?: number | undefined;
}

const data: ThreadData = workerData;
const createHandler = await loadPlugin<(storage: Storage) => Handler>('-handler', data.handler, {
  simple: createSimpleHandler,
});
const protocol = await loadPlugin<Protocol>('-proto', data.protocol, PROTOCOLS);
const handler = createHandler(emptyStorage);
const logger = createLineLogger((line) => process.stderr.write(line));
const server = new ThreadServer({ ...data, handler, protocol, logger });

answerRequests(async (request: ThreadRequest): Promise<ThreadReply> => {
  switch (request.kind) {
    case 'listen': {
      const address = await server.listenOn(request.target);
      return { address, fd: server.descriptor };
    }
    case 'swap':
      // A message is a turn of the event loop of its own: it never falls into a batch of commands.
      handler.swap(openTable(request.table, request.info));
      if (request.table.index instanceof SharedArrayBuffer) collectGarbage();
      return {};
    case 'reload':
      server.reload();
      return {};
    case 'close':
      await server.close(request.graceMs);
      return {};
  }
});
