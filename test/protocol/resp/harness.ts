import { expect } from 'vitest';
import type { Counters } from '../../../src/protocol/counters.ts';
import type { SessionState } from '../../../src/protocol/protocol.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import {
  BinaryConversation,
  type BinaryPlayed,
  lasting,
  playBinaryAllWays,
  playBinaryPieces,
} from '../../support/binary.ts';
import { bytesOf, type TestRecord } from '../../support/storages.ts';

/** What came of a conversation; the output is Latin-1 text. */
export interface RespPlayed {
  readonly output: string;
  readonly state: SessionState;
  readonly counters: Counters;
}

/** An argument or a whole request: text stands for Latin-1 bytes. */
export type Bytes = Buffer | string;

/** Builds a request as clients send it. */
export function req(...args: readonly Bytes[]): Buffer {
  const bulks = args.map(bytesOf).flatMap((arg) => {
    return [Buffer.from(`$${arg.length}\r\n`), arg, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...bulks]);
}

/** A bulk string as it is answered. */
export function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function asText({ output, ...rest }: BinaryPlayed): RespPlayed {
  return { ...rest, output: output.toString('latin1') };
}

/** Plays requests in all ways that they can arrive, and expects the same output each time. */
export function playAllWays(
  requests: readonly Bytes[],
  records: readonly TestRecord[] = [],
): RespPlayed {
  return asText(playBinaryAllWays(requests.map(bytesOf), records, respProtocol));
}

/** As `playAllWays` of one command, whose words are separated by spaces. */
export function playCommand(command: string, records: readonly TestRecord[] = []): string {
  return playAllWays([req(...command.split(' '))], records).output;
}

/** Plays input that arrives in these pieces. */
export function playPieces(pieces: readonly Bytes[], storage: Storage): RespPlayed {
  return asText(playBinaryPieces(pieces.map(bytesOf), keeping(storage), respProtocol));
}

/** As `lasting`, and it can be scanned. */
export function keeping(storage: Storage): Storage {
  return { ...lasting(storage), scan: storage.scan?.bind(storage) };
}

export function conversationOn(
  ...[handler]: ConstructorParameters<typeof BinaryConversation>
): BinaryConversation {
  return new BinaryConversation(handler, respProtocol);
}

/** A reply that was parsed: maps, sets and pushes are arrays, with what they are before the elements. */
export type Parsed = string | number | null | readonly Parsed[];

/** Where a reply ends, and what it says. */
interface Found {
  readonly next: number;
  readonly value: Parsed;
}

function elementsAt(output: string, at: number, count: number, kind: readonly Parsed[]): Found {
  const elements: Parsed[] = [...kind];
  let next = at;
  for (let i = 0; i < count; i++) {
    const element = replyAt(output, next);
    elements.push(element.value);
    next = element.next;
  }
  return { next, value: elements };
}

function replyAt(output: string, at: number): Found {
  const lineEnd = output.indexOf('\r\n', at);
  if (lineEnd < 0) throw new Error(`a reply is not whole: ${output.slice(at, at + 20)}`);
  const line = output.slice(at + 1, lineEnd);
  const next = lineEnd + 2;
  switch (output[at]) {
    case '+':
      return { next, value: line };
    case '-':
      return { next, value: `-${line}` };
    case ':':
      return { next, value: Number(line) };
    case '_':
      return { next, value: null };
    case '$':
    case '=': {
      if (line === '-1') return { next, value: null };
      const end = next + Number(line);
      if (output.slice(end, end + 2) !== '\r\n') throw new Error('a bulk string does not end');
      return { next: end + 2, value: output.slice(next, end) };
    }
    case '*':
      return elementsAt(output, next, Number(line), []);
    case '~':
    case '>':
      return elementsAt(output, next, Number(line), [output[at]]);
    case '%':
      return elementsAt(output, next, Number(line) * 2, ['%']);
    default:
      throw new Error(`no reply begins with ${JSON.stringify(output.slice(at, at + 20))}`);
  }
}

/** Parses output that must consist of whole replies and nothing else. */
export function parseReplies(output: string): readonly Parsed[] {
  const replies: Parsed[] = [];
  for (let at = 0; at < output.length; ) {
    const { next, value } = replyAt(output, at);
    replies.push(value);
    at = next;
  }
  return replies;
}

/** Plays one command, whose words are separated by spaces, and parses what it is answered. */
export function ask(storage: Storage, command: string): Parsed {
  const replies = parseReplies(playPieces([req(...command.split(' '))], storage).output);
  expect(replies).toHaveLength(1);
  return replies[0];
}
