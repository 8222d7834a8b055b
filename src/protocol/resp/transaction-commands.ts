import type { View } from '../../handler/handler.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import type { Reply } from '../reply.ts';
import { type Call, type Command, fail, plainCommand } from './command.ts';
import { appendArray, appendNullArray, appendSimple } from './output.ts';
import { TRANSACTION_TOO_LARGE, Transaction } from './transaction.ts';

function infoNow({ context }: Call): DataSetInfo {
  const view = context.handler.view();
  view.release();
  return view.info;
}

function multi(call: Call, reply: Reply): void {
  const { client } = call;
  if (client.transaction !== undefined) {
    fail(call, reply, 'ERR MULTI calls can not be nested');
    return;
  }
  client.transaction = new Transaction();
  appendSimple(reply, 'OK');
}

function discard(call: Call, reply: Reply): void {
  const { client } = call;
  if (client.transaction === undefined) {
    fail(call, reply, 'ERR DISCARD without MULTI');
    return;
  }
  client.transaction = undefined;
  client.watched = undefined;
  appendSimple(reply, 'OK');
}

/** Keys change together, when the data is replaced: what is watched is all of it. */
function watch(call: Call, reply: Reply): void {
  const { client } = call;
  if (client.transaction !== undefined) {
    fail(call, reply, 'ERR WATCH inside MULTI is not allowed');
    return;
  }
  client.watched ??= infoNow(call);
  appendSimple(reply, 'OK');
}

function unwatch({ client }: Call, reply: Reply): void {
  client.watched = undefined;
  appendSimple(reply, 'OK');
}

/** Keeps a request for EXEC. */
export function queueRequest(
  call: Call,
  transaction: Transaction,
  request: Buffer,
  reply: Reply,
): void {
  if (transaction.add(request, 0, request.length)) {
    appendSimple(reply, 'QUEUED');
    return;
  }
  transaction.isBroken = true;
  fail(call, reply, TRANSACTION_TOO_LARGE);
}

/** What EXEC has to do: which requests, all from the same data. */
export interface Execution {
  readonly request: Buffer;
  /** How much of it is done with. */
  at: number;
  /** Memory that the requests take. */
  readonly heldBytes: number;
  readonly view: View;
}

/** Begins EXEC's answer. @returns undefined when there is nothing to do, and all is answered. */
export function beginExec(call: Call, reply: Reply): Execution | undefined {
  const { client, context } = call;
  const { transaction, watched } = client;
  client.transaction = undefined;
  client.watched = undefined;
  if (transaction === undefined) {
    fail(call, reply, 'ERR EXEC without MULTI');
    return undefined;
  }
  if (transaction.isBroken) {
    fail(call, reply, 'EXECABORT Transaction discarded because of previous errors.');
    return undefined;
  }
  const view = context.handler.view();
  if (watched !== undefined && watched !== view.info) {
    view.release();
    appendNullArray(reply, client.resp);
    return undefined;
  }
  appendArray(reply, transaction.count);
  return { request: transaction.requests(), at: 0, heldBytes: transaction.heldBytes, view };
}

/** Commands that are run also between MULTI and EXEC, in place of being kept. */
export const NEVER_QUEUED: ReadonlySet<string> = new Set([
  'multi',
  'exec',
  'discard',
  'watch',
  'quit',
  'reset',
]);

/** The commands about transactions, but for EXEC: the session has that itself. */
export const TRANSACTIONS: readonly Command[] = [
  plainCommand('multi', 1, multi),
  plainCommand('discard', 1, discard),
  { ...plainCommand('watch', -2, watch), keys: [1, -1, 1] },
  plainCommand('unwatch', 1, unwatch),
];
