/** What runs in a serving thread: one server, which is told to listen, to swap and to close. */
import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { DataSetsHandler } from '../handler/data-sets.ts';
import type { Handler } from '../handler/handler.ts';
import { createSimpleHandler } from '../handler/simple.ts';
import { createLineLogger } from '../log.ts';
import { loadPlugin } from '../plugin.ts';
import type { Protocol } from '../protocol/protocol.ts';
import { PROTOCOLS } from '../protocol/protocols.ts';
import { answerRequests } from '../rpc.ts';
import { emptyStorage } from '../storage/empty.ts';
import type { Storage } from '../storage/storage.ts';
import { ServedSets, type SetTaker } from './served-sets.ts';
import {
  SHUTDOWN,
  type ThreadData,
  type ThreadNews,
  type ThreadReply,
  type ThreadRequest,
} from './thread-messages.ts';
import { type ServerParts, ThreadServer } from './thread-server.ts';

const SAMPLER_TICK_MS = 1_000;

const data: ThreadData = workerData;
const protocol = await loadPlugin<Protocol>('-proto', data.protocol, PROTOCOLS);
const [handler, taker] = data.delimiter === undefined ? await one() : several(data.delimiter);
const logger = createLineLogger((line) => process.stderr.write(line));
const tell = (news: ThreadNews): void => parentPort?.postMessage(news);
const shutdown = data.allowShutdown ? () => tell(SHUTDOWN) : undefined;
const onReport: ServerParts['onReport'] = (report) => tell({ report });
const server = new ThreadServer({ ...data, handler, protocol, shutdown, onReport, logger });
const onRelease = (released: number): void => tell({ released });
const sets = new ServedSets(taker, data.thread, data.facts.threads, onRelease);
setInterval(() => sets.tick(), SAMPLER_TICK_MS).unref();

answerRequests(async (request: ThreadRequest): Promise<ThreadReply> => {
  switch (request.kind) {
    case 'listen':
      return { address: await server.listenOn(request.target) };
    // No command is under way between two turns of the event loop, nor behind an await.
    case 'swap':
      await sets.swap(request);
      server.noteSwap();
      return {};
    case 'add':
      sets.add(request);
      return {};
    case 'remove':
      sets.remove(request.set, request.generation);
      server.noteSwap();
      return {};
    case 'hurry-stale':
      server.hurryStale();
      return {};
    case 'reload':
      server.reload();
      return {};
    case 'ping':
      return {};
    case 'close':
      await server.close(request.graceMs);
      return {};
  }
});

/** One data set, which the handler that was asked for serves. */
async function one(): Promise<readonly [Handler, SetTaker]> {
  const builtIns = { simple: createSimpleHandler };
  const createHandler = await loadPlugin<(storage: Storage) => Handler>(
    '-handler',
    data.handler,
    builtIns,
  );
  const handler = createHandler(emptyStorage);
  const put: SetTaker['put'] = (_set, storage) => handler.swap(storage);
  return [handler, { put, remove: () => {} }];
}

function several(delimiter: string): readonly [Handler, SetTaker] {
  const handler = new DataSetsHandler(delimiter);
  return [handler, handler];
}
