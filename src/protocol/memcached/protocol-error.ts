import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';

/** Answers a command that is not well-formed. @param line Without its end. */
export function protocolError(context: SessionContext, reply: Reply, line: string): void {
  context.counters.protocol_errors++;
  reply.charge(1);
  reply.text(`${line}\r\n`);
}
