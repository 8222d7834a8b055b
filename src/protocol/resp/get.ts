import { countGets } from '../counters.ts';
import type { Reply } from '../reply.ts';
import type { Call } from './command.ts';
import type { KeyRoute } from './key-route.ts';
import { appendNull, appendValue } from './output.ts';

/**
 * Answers GET for the argument that was reached last.
 *
 * @returns Whether it was answered. If not, the route has the error.
 */
export function answerGet(call: Call, route: KeyRoute | undefined, reply: Reply): boolean {
  const { args, client, context } = call;
  const view = context.handler.view();
  try {
    const entry = view.get(args.input, args.start, args.end);
    if (entry !== undefined) {
      countGets(context.counters, 1, 0);
      appendValue(reply, entry);
      return true;
    }
    if (route?.checkMissing(args, view) === 'away') return false;
    countGets(context.counters, 0, 1);
    appendNull(reply, client.resp);
    return true;
  } finally {
    view.release();
  }
}
