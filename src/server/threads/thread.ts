/** What runs in a serving thread: one server, which is asked to listen, to swap and to close. */
import { parentPort, workerData } from 'node:worker_threads';
import { entryLogger } from '../../common/log.ts';
import { LoopDelay } from '../../common/loop-delay.ts';
import { loadPlugin } from '../../common/plugin.ts';
import { answerRequests } from '../../common/rpc.ts';
import type { LoadNews } from '../../common/status.ts';
import { DataSetsHandler } from '../../handler/data-sets.ts';
import type { Handler, ViewSource } from '../../handler/handler.ts';
import { createSimpleHandler } from '../../handler/simple.ts';
import { countersOf } from '../../protocol/counters.ts';
import { PROTOCOLS } from '../../protocol/detect/detect.ts';
import type { Protocol } from '../../protocol/protocol.ts';
import { emptyStorage } from '../../storage/empty.ts';
import { Asker } from '../../storage/lookup-counts.ts';
import { loadMapReader } from '../../storage/map-window.ts';
import type { Storage } from '../../storage/storage.ts';
import { createForwarding } from '../forwarding.ts';
import { meterOf } from '../metering/metering.ts';
import { SlowLog } from '../metering/slow-log.ts';
import { type ServerParts, ThreadServer } from '../thread-server.ts';
import { ServedSets, type SetTaker } from './served-sets.ts';
import {
  LOADED,
  SHUTDOWN,
  type ThreadNews,
  type ThreadReply,
  type ThreadRequest,
  type ThreadStart,
} from './thread-messages.ts';

/** How often samplers and meters look at how much there is to do. */
const TICK_MS = 1_000;

const data: ThreadStart = workerData;
const report = (news: ThreadNews): void => parentPort?.postMessage(news);
// If it fails, the first table that needs it reports why.
await loadMapReader().catch(() => {});
Atomics.store(data.loaded, 0, 1);
Atomics.notify(data.loaded, 0);
report(LOADED);

const spoken = await loadPlugin<Protocol>('-proto', data.protocol, PROTOCOLS);
const [handler, taker] = data.delimiter === undefined ? await one() : several(data.delimiter);
const logger = entryLogger((log) => report({ log }));
const shutdown = data.allowShutdown ? () => report(SHUTDOWN) : undefined;
const onReport: ServerParts['onReport'] = (client) => report({ report: client });
const loadNews = new Map<string, LoadNews>();
const asker = new Asker();
const { logSlowMs } = data;
const slow = logSlowMs === undefined ? undefined : new SlowLog(logSlowMs, logger);
const meter = meterOf(data.meterMemory, data.thread, asker, { loop: new LoopDelay(), slow });
const { place } = data.sessions;
const forwarding =
  place &&
  createForwarding({
    ...{ place, local: handler, protocol: spoken, access: data.access, logger },
    ...{ counters: countersOf(data.counterMemory, data.thread), thread: data.thread },
  });
const { protocol, foreign } = forwarding ?? { protocol: spoken, foreign: undefined };
const parts: ServerParts = {
  ...{ ...data, handler, protocol, foreign, shutdown, onReport, loadNews, logger, asker, meter },
};
const server = new ThreadServer(parts);
const onRelease = (released: number): void => report({ released });
const sets = new ServedSets(taker, data.thread, data.facts.threads, asker, onRelease);
setInterval(() => {
  sets.tick();
  meter.tick();
}, TICK_MS).unref();

answerRequests(async (request: ThreadRequest): Promise<ThreadReply> => {
  switch (request.kind) {
    case 'listen': {
      const address = await server.listenOn(request.target, request.role);
      return { address, fd: server.descriptorOf(request.role) };
    }
    // No command is under way between two turns of the event loop, nor behind an await.
    case 'swap':
      await sets.swap(request);
      server.noteSwap();
      return {};
    case 'swapped-everywhere':
      server.noteSwapEverywhere();
      return {};
    case 'add':
      sets.add(request);
      // Its keys may have been found in the data set without a prefix.
      server.noteSwap();
      return {};
    case 'remove':
      sets.remove(request.set, request.generation);
      loadNews.delete(request.set);
      server.noteSwap();
      return {};
    case 'news':
      loadNews.set(request.set, request.news);
      return {};
    case 'hurry-stale':
      server.hurryStale();
      return {};
    case 'reload':
      server.reload();
      return {};
    case 'ping':
      return {};
    case 'drain':
      await server.drain();
      return {};
    case 'close':
      await server.close(request.graceMs);
      return {};
  }
});

/** One data set, which the handler that was asked for serves. */
async function one(): Promise<readonly [ViewSource, SetTaker]> {
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

function several(delimiter: string): readonly [ViewSource, SetTaker] {
  const handler = new DataSetsHandler(delimiter);
  return [handler, handler];
}
