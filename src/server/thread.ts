/** What runs in a serving thread: one server, which is told to listen, to swap and to close. */
import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { collectGarbage } from '../collect-garbage.ts';
import type { Handler } from '../handler/handler.ts';
import { createSimpleHandler } from '../handler/simple.ts';
import { createLineLogger } from '../log.ts';
import { loadPlugin } from '../plugin.ts';
import type { Protocol } from '../protocol/protocol.ts';
import { PROTOCOLS } from '../protocol/protocols.ts';
import { answerRequests } from '../rpc.ts';
import { sumSlice } from '../storage/checksum.ts';
import { emptyStorage } from '../storage/empty.ts';
import { LookupSampler } from '../storage/lookup-sample.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { isShared, type ServedTable, transferableMemory } from '../storage/table.ts';
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
const createHandler = await loadPlugin<(storage: Storage) => Handler>('-handler', data.handler, {
  simple: createSimpleHandler,
});
const protocol = await loadPlugin<Protocol>('-proto', data.protocol, PROTOCOLS);
const handler = createHandler(emptyStorage);
const logger = createLineLogger((line) => process.stderr.write(line));
const tell = (news: ThreadNews): void => parentPort?.postMessage(news);
const shutdown = data.allowShutdown ? () => tell(SHUTDOWN) : undefined;
const onReport: ServerParts['onReport'] = (report) => tell({ report });
const server = new ThreadServer({ ...data, handler, protocol, shutdown, onReport, logger });
const sampler = new LookupSampler(data.sampleMemory, data.thread, data.facts.threads);
setInterval(() => sampler.tick(), SAMPLER_TICK_MS).unref();
let served: ServedTable | undefined;

// Whatever fault ends this thread: memory that it has to itself serves on in the next one. (Out of
// heap, or ended from outside, a thread does not get here.)
process.on('exit', () => {
  const memory = served === undefined ? [] : transferableMemory(served.table);
  if (memory.length > 0) parentPort?.postMessage({ left: served! } satisfies ThreadNews, memory);
});

answerRequests(async (request: ThreadRequest): Promise<ThreadReply> => {
  switch (request.kind) {
    case 'listen':
      return { address: await server.listenOn(request.target) };
    case 'swap':
      // No command is under way between two turns of the event loop, nor behind an await. The old
      // storage is closed when the last command lets go of it, after the new one was opened.
      handler.swap(sampler.observe(await openStorage(request.table, request.info)));
      served = { table: request.table, info: request.info };
      server.noteSwap();
      if (isShared(request.table)) collectGarbage();
      return {};
    case 'hurry-stale':
      server.hurryStale();
      return {};
    case 'reload':
      server.reload();
      return {};
    case 'ping':
      return {};
    case 'sum':
      return { sum: sumSlice(served, request) };
    case 'close':
      await server.close(request.graceMs);
      return {};
  }
});
