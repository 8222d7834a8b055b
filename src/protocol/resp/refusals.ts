import { DEFAULT_REQUEST_LIMITS, type SessionContext } from '../protocol.ts';
import type { Client } from './client.ts';
import { argsMaxOf, type Command, fitsArity, takesKeys, wrongArity } from './command.ts';
import { writeNamed } from './commands.ts';
import { Discard, upToNul } from './discard.ts';
import type { RequestFrame } from './frame.ts';
import { faultOfSubscriber } from './subscriptions.ts';
import { READ_ONLY } from './writes.ts';

const NO_LOGIN = 'NOAUTH Authentication required.';

/** The request goes by whose name was read; then this is said. */
function refuse({ argc, nameBytes }: RequestFrame, error: string, showsArgs = false): Discard {
  return new Discard(error, argc - 1, nameBytes + 2, showsArgs);
}

function refuseStranger(frame: RequestFrame): Discard {
  return refuse(frame, NO_LOGIN);
}

function refuseSubscriber(
  frame: RequestFrame,
  { counters }: SessionContext,
  fault: string,
): Discard {
  counters.protocol_errors++;
  return refuse(frame, fault);
}

/**
 * Refuses a request that has more arguments, or names more keys, than its command takes.
 *
 * @returns undefined when it has not.
 */
function refuseManyArgs(
  command: Command,
  frame: RequestFrame,
  { counters, requestLimits = DEFAULT_REQUEST_LIMITS }: SessionContext,
): Discard | undefined {
  const argsMax = argsMaxOf(command, requestLimits.keysMax);
  if (frame.argc <= argsMax) return undefined;
  counters.protocol_errors++;
  const what = takesKeys(command) ? 'keys' : 'arguments';
  const name = command.name.toUpperCase();
  const found = `at most ${argsMax - 1} in one ${name}, found ${frame.argc - 1}`;
  return refuse(frame, `ERR too many ${what}: ${found}`);
}

/**
 * Refuses a command that is known.
 *
 * @param isQueued Whether EXEC runs it: then it was let through when it was queued.
 * @returns undefined for a command that may be run.
 */
export function refusalOf(
  command: Command,
  frame: RequestFrame,
  client: Client,
  context: SessionContext,
  isQueued: boolean,
): Discard | undefined {
  const isOpen = client.isKnown || command.flags.includes('no_auth');
  if (!isOpen) return refuseStranger(frame);
  const fault = isQueued ? undefined : faultOfSubscriber(client, command.name);
  if (fault !== undefined) return refuseSubscriber(frame, context, fault);
  const refusal = refuseManyArgs(command, frame, context);
  if (refusal !== undefined && client.transaction !== undefined) client.transaction.isBroken = true;
  return refusal;
}

/**
 * Refuses a write, a command with too few arguments, or one that nobody knows.
 *
 * @param asked The name as the client wrote it.
 * @param isStranger Whether the client has yet to log in.
 */
export function refuseCommand(
  asked: string,
  command: Command | undefined,
  frame: RequestFrame,
  { counters, onRefusedWrite }: SessionContext,
  isStranger: boolean,
): Discard {
  const name = asked.toLowerCase();
  const write = writeNamed(name);
  if (write !== undefined && fitsArity(write.arity, frame.argc)) {
    if (isStranger) return refuseStranger(frame);
    for (const counter of write.counters) counters[counter]++;
    onRefusedWrite?.(write.name);
    return refuse(frame, READ_ONLY);
  }
  counters.protocol_errors++;
  if (command !== undefined || write !== undefined) return refuse(frame, wrongArity(name));
  const error = `ERR unknown command '${upToNul(asked)}', with args beginning with: `;
  return refuse(frame, error, true);
}
