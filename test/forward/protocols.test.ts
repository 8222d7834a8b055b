import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Anywhere } from '../../src/forward/anywhere.ts';
import { QUESTION_KEYS_MAX, type Questions } from '../../src/forward/questions.ts';
import { FOREIGN_KEY } from '../../src/handler/foreign-keys.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { memcachedProtocol } from '../../src/protocol/memcached/memcached.ts';
import { respProtocol } from '../../src/protocol/resp/resp.ts';
import { emptyStorage } from '../../src/storage/empty.ts';
import { bulk, req } from '../protocol/resp/harness.ts';
import { BinaryConversation, parseResponses, request } from '../support/binary.ts';
import { foreignOver } from '../support/foreign.ts';
import { Conversation } from '../support/session.ts';
import { stopClocks } from '../support/still-clock.ts';
import { type TestRecord, tableOf } from '../support/storages.ts';

stopClocks();

/** `b`, `d`, `f` … belong here; `a`, `c`, `e` … to others. */
const RECORDS: readonly TestRecord[] = [...'abcdefghij'].map((key) => [key, `value of ${key}`, 5]);
const FAULT = 'shard1 does not answer';

function over(records: readonly TestRecord[], faulty = ''): ReturnType<typeof foreignOver> {
  return foreignOver(tableOf(records), (key) => (faulty.includes(key) ? FAULT : undefined));
}

function text(input: string, faulty = ''): { output: string; asked: readonly string[] } {
  const { foreign, owners } = over(RECORDS, faulty);
  const conversation = new Conversation(foreign, { foreign });
  conversation.give(Buffer.from(input));
  return { output: conversation.played().output, asked: owners.asked };
}

function redis(requests: readonly Buffer[], faulty = '') {
  const { foreign, owners } = over(RECORDS, faulty);
  const conversation = new BinaryConversation(foreign, respProtocol, { foreign });
  conversation.give(Buffer.concat(requests));
  const { output, state, counters } = conversation.played();
  return { output: output.toString('latin1'), state, counters, asked: owners.asked };
}

function hit(key: string): string {
  return `VALUE ${key} 5 10\r\nvalue of ${key}\r\n`;
}

describe('keys of others, in the text protocol', () => {
  it('are asked for at once when they come together', () => {
    const input = 'get a\r\nget b\r\nmg c v\r\nget d e none1\r\ngat 0 g i\r\n';
    const { output, asked } = text(input);
    const hits = [[hit('a')], [hit('b')], ['VA 10\r\nvalue of c\r\n']].flat();
    const rest = `${hit('d')}${hit('e')}END\r\n${hit('g')}${hit('i')}END\r\n`;
    expect(output).toBe(`${hits[0]}END\r\n${hits[1]}END\r\n${hits[2]}${rest}`);
    expect(asked).toEqual(['a c e none1 g i']);
  });

  it('are asked for also from a line that is not whole yet', () => {
    const { foreign, owners } = over(RECORDS);
    const conversation = new Conversation(foreign, { foreign });
    for (const piece of ['get a\r\nget c e', ' g', '\r\n']) conversation.give(Buffer.from(piece));
    const hits = `${hit('c')}${hit('e')}${hit('g')}`;
    expect(conversation.played().output).toBe(`${hit('a')}END\r\n${hits}END\r\n`);
    expect(owners.asked).toEqual(['a c', 'c e g']);
  });

  it('end a get with an error if nobody can say, behind what is known', () => {
    const { output } = text('get a b c\r\nget b\r\n', 'a');
    expect(output).toBe(`${hit('b')}${hit('c')}SERVER_ERROR ${FAULT}\r\n${hit('b')}END\r\n`);
  });

  it('are an error each if nobody can say, between other commands', () => {
    const { output } = text('get c\r\nget a\r\nget b\r\nmg a v q\r\nme a\r\nmn\r\n', 'a');
    const error = `SERVER_ERROR ${FAULT}\r\n`;
    expect(output).toBe(`${hit('c')}END\r\n${error}${hit('b')}END\r\n${error}${error}MN\r\n`);
  });

  it('do not let the value behind an add be taken for commands', () => {
    const { output } = text('add a 0 -1 6\r\nmn\r\nmn\r\nversion\r\n', 'a');
    expect(output).toBe('NOT_STORED\r\nVERSION 1.6.99\r\n');
  });

  it('are counted as they are here', () => {
    const { foreign } = over(RECORDS);
    const conversation = new Conversation(foreign, { foreign });
    conversation.give(
      Buffer.from('get a b c none1\r\nget a\r\nget b\r\nget c\r\ngat 0 a\r\nme a\r\n'),
    );
    const { get_hits, get_misses, touch_hits, cmd_meta } = conversation.counters;
    expect({ get_hits, get_misses, touch_hits, cmd_meta }).toEqual({
      ...{ get_hits: 6, get_misses: 1, touch_hits: 1, cmd_meta: 1 },
    });
  });
});

describe('keys of others, in the binary protocol', () => {
  it('are an error also to a quiet command if nobody can say', () => {
    const { foreign, owners } = over(RECORDS, 'a');
    const conversation = new BinaryConversation(foreign, undefined, { foreign });
    const gets = ['c', 'a', 'none1', 'e'].map((key, opaque) => request(0x09, { key, opaque }));
    conversation.give(Buffer.concat([...gets, request(0x0a)]));
    const responses = parseResponses(conversation.played().output);
    expect(responses.map(({ opcode, status, opaque }) => [opcode, status, opaque])).toEqual([
      [0x09, 0, 0],
      [0x09, 0x86, 1],
      [0x09, 0, 3],
      [0x0a, 0, 0],
    ]);
    expect(owners.asked).toEqual(['c a none1 e']);
  });
});

describe('keys of others, in RESP', () => {
  it('are asked for at once when they come together', () => {
    const { output, asked } = redis([
      ...[req('get', 'a'), req('MGET', 'b', 'c', 'none1'), req('strlen', 'e'), req('PING')],
      ...[req('exists', 'g', 'i', 'b')],
    ]);
    const values = `*3\r\n${bulk('value of b')}${bulk('value of c')}$-1\r\n`;
    expect(output).toBe(`${bulk('value of a')}${values}:10\r\n+PONG\r\n:3\r\n`);
    expect(asked).toEqual(['a c none1 e g i']);
  });

  it('make an MGET an error as a whole if nobody can say', () => {
    const { output } = redis(
      [req('MGET', 'b', 'a', 'c'), req('EXISTS', 'a'), req('GET', 'b')],
      'a',
    );
    const error = `-TRYAGAIN ${FAULT}\r\n`;
    expect(output).toBe(`${error}${error}${bulk('value of b')}`);
  });

  it('are answered in a transaction', () => {
    const { output, counters } = redis([
      ...[req('MULTI'), req('GET', 'a'), req('MGET', 'b', 'c'), req('GET', 'e'), req('EXEC')],
    ]);
    const values = `*2\r\n${bulk('value of b')}${bulk('value of c')}`;
    const replies = `*3\r\n${bulk('value of a')}${values}${bulk('value of e')}`;
    expect(output).toBe(`+OK\r\n${'+QUEUED\r\n'.repeat(3)}${replies}`);
    expect(counters.cmd_redis).toBe(5);
  });

  it('are one error among the replies of a transaction if nobody can say', () => {
    const requests = [req('MULTI'), req('GET', 'a'), req('GET', 'b'), req('EXEC')];
    const { output } = redis(requests, 'a');
    const replies = `*2\r\n-TRYAGAIN ${FAULT}\r\n${bulk('value of b')}`;
    expect(output).toBe(`+OK\r\n+QUEUED\r\n+QUEUED\r\n${replies}`);
  });

  it('may be two of one command, or one twice', () => {
    const { output } = redis([req('LCS', 'a', 'c'), req('LCS', 'a', 'a'), req('LCS', 'b', 'c')]);
    expect(output).toBe(bulk('value of ') + bulk('value of a') + bulk('value of '));
  });

  it('are not asked for when they are too long for any file', () => {
    const { output, asked } = redis([
      req('GET', 'k'.repeat(65_537)),
      req('GET', 'k'.repeat(65_535)),
    ]);
    expect(output).toBe('$-1\r\n$-1\r\n');
    expect(asked).toEqual(['k'.repeat(65_535)]);
  });

  it('are answered to an inline command', () => {
    expect(redis([Buffer.from('PING\r\nGET a\r\nMGET a b\r\n')]).output).toBe(
      `+PONG\r\n${bulk('value of a')}*2\r\n${bulk('value of a')}${bulk('value of b')}`,
    );
  });
});

const MANY = Array.from({ length: 2 * QUESTION_KEYS_MAX + 10 }, (_, i): TestRecord => {
  return [`key:${2 * i + 1}`, 'v'];
});

describe('more keys of others than are asked for at a time', () => {
  it('are all answered by MGET', () => {
    const { foreign, owners } = over(MANY);
    const conversation = new BinaryConversation(foreign, respProtocol, { foreign });
    conversation.give(req('mget', ...MANY.map(([key]) => key)));
    expect(conversation.played().output.toString()).toBe(
      `*${MANY.length}\r\n${bulk('v').repeat(MANY.length)}`,
    );
    expect(Math.max(...owners.asked.map((keys) => keys.split(' ').length))).toBeLessThanOrEqual(
      QUESTION_KEYS_MAX,
    );
  });

  it('are all known before MGET begins, as long as they are no more than may be asked for', () => {
    const some = MANY.slice(0, QUESTION_KEYS_MAX);
    const isForeign = ([key]: TestRecord): boolean =>
      Buffer.from(key as string).reduce((sum, byte) => sum + byte, 0) % 2 === 1;
    const last = some.findLast(isForeign)![0] as string;
    const { foreign } = foreignOver(tableOf(some), (key) => (key === last ? FAULT : undefined));
    const conversation = new BinaryConversation(foreign, respProtocol, { foreign });
    conversation.give(req('mget', ...some.map(([key]) => key)));
    expect(conversation.played().output.toString()).toBe(`-TRYAGAIN ${FAULT}\r\n`);
  });

  it('end the connection within an array that cannot become an error', () => {
    const last = MANY.at(-1)![0] as string;
    const { foreign } = foreignOver(tableOf(MANY), (key) => (key === last ? FAULT : undefined));
    const conversation = new BinaryConversation(foreign, respProtocol, { foreign });
    conversation.give(req('mget', ...MANY.map(([key]) => key)));
    expect(conversation.session.state).toBe('reset');
  });
});

describe('large values of others', () => {
  it('are asked for again when there was no room for them', () => {
    const value = Buffer.alloc(3 * 1024 * 1024, 'x');
    const keys = ['a', 'c', 'e', 'g'];
    const { foreign, owners } = over(keys.map((key) => [key, value]));
    const conversation = new Conversation(foreign, { foreign });
    conversation.give(Buffer.from(`get ${keys.join(' ')}\r\n`));
    const hits = keys.map((key) => `VALUE ${key} 0 ${value.length}\r\n${value}\r\n`);
    expect(conversation.played().output === `${hits.join('')}END\r\n`).toBe(true);
    expect(owners.asked).toEqual(['a c e g', 'e g']);
  });

  it('take the room of keys that no command looks up after all', () => {
    const value = Buffer.alloc(5 * 1024 * 1024, 'x');
    const { foreign, owners } = over([['a', value], ...RECORDS.slice(1)]);
    const conversation = new Conversation(foreign, { foreign });
    conversation.give(Buffer.from('get a\r\nmg c v v\r\nget e\r\n'));
    const hits = `VALUE a 0 ${value.length}\r\n${value}\r\nEND\r\n`;
    const rest = `CLIENT_ERROR duplicate flag\r\n${hit('e')}END\r\n`;
    expect(conversation.played().output === hits + rest).toBe(true);
    expect(owners.asked).toEqual(['a c e', 'e']);
  });

  it('take the room of keys that a transaction looks up later, or never', () => {
    const value = Buffer.alloc(5 * 1024 * 1024, 'x');
    const { foreign } = over([['a', value], ...RECORDS.slice(1)]);
    const conversation = new BinaryConversation(foreign, respProtocol, { foreign });
    const requests = [['get', 'a'], ['multi'], ['get', 'c'], ['discard'], ['get', 'e']];
    conversation.give(Buffer.concat(requests.map((words) => req(...words))));
    const replies = [bulk(String(value)), '+OK\r\n', '+QUEUED\r\n', '+OK\r\n', bulk('value of e')];
    expect(conversation.played().output.toString('latin1') === replies.join('')).toBe(true);
  });

  it('among any commands, wrong ones too, are answered as if all were here', () => {
    const value = Buffer.alloc(3 * 1024 * 1024, 'x');
    const records: readonly TestRecord[] = [
      ['a', value],
      ['b', value],
      ['c', value],
      ...RECORDS.slice(3),
    ];
    const key = fc.constantFrom('a', 'b', 'c', 'e', 'g', 'none1', 'none2');
    const keys = fc.array(key, { minLength: 1, maxLength: 4 }).map((some) => some.join(' '));
    const verb = fc.constantFrom('get', 'gets', 'gat 0', 'mg', 'me', 'touch', 'get k\0');
    const flags = fc.constantFrom('', ' v', ' v v', ' s q', ' x', ' 0');
    const line = fc.tuple(verb, keys, flags).map((words) => Buffer.from(`${words.join(' ')}\r\n`));
    const word = fc.constantFrom('get', 'mget', 'exists', 'strlen', 'nope', 'type');
    const others = fc.constantFrom('multi', 'exec', 'discard', 'watch a', 'reset', 'ping');
    const command = fc
      .oneof(
        fc.tuple(word, keys).map((words) => words.join(' ')),
        others,
      )
      .map((text) => req(...text.split(' ')));
    const sameAs = (requests: readonly Buffer[], protocol?: typeof respProtocol): void => {
      const { foreign } = over(records);
      const played = [foreign, createSimpleHandler(tableOf(records))].map((handler) => {
        const more = handler === foreign ? { foreign } : {};
        const conversation = new BinaryConversation(handler, protocol ?? memcachedProtocol, more);
        conversation.give(Buffer.concat(requests));
        return conversation.played();
      });
      expect(played[0].state).toBe(played[1].state);
      expect(played[0].output.equals(played[1].output)).toBe(true);
    };
    const many = { minLength: 1, maxLength: 12 };
    fc.assert(
      fc.property(fc.array(line, many), fc.array(command, many), (lines, commands) => {
        sameAs(lines);
        sameAs([req('ping'), ...commands], respProtocol);
      }),
      { numRuns: 60 },
    );
  }, 600_000);

  it('are sent by owners about twice at most', () => {
    const value = Buffer.alloc(64 * 1024, 'x');
    const keys = MANY.slice(0, 1_000).map(([key]) => key as string);
    const { foreign, owners } = over(keys.map((key) => [key, value]));
    const conversation = new Conversation(foreign, { foreign });
    conversation.give(Buffer.from(`get ${keys.join(' ')}\r\n`));
    expect(conversation.played().output.length).toBeGreaterThan(keys.length * value.length);
    const sent = owners.asked.reduce((sum, asked) => sum + asked.split(' ').length, 0);
    expect(sent).toBeLessThan(2.5 * keys.length);
  });
});

describe('a server without data', () => {
  it('asks the others of its shard, if there are any', () => {
    for (const isShared of [true, false]) {
      const asked: string[] = [];
      const owners = {
        ask: (questions: Questions): void => {
          asked.push(questions.keys.toString('latin1', questions.keyStart(0), questions.keyEnd(0)));
          questions.noteFault(0, FAULT);
        },
      };
      const handler = createSimpleHandler(emptyStorage);
      const foreign = new Anywhere(handler, { own: 0, isShared, shardOf: () => 0 }, owners);
      const conversation = new Conversation(foreign, { foreign });
      conversation.give(Buffer.from('get a\r\n'));
      const { output } = conversation.played();
      expect(output).toBe(isShared ? `SERVER_ERROR ${FAULT}\r\n` : 'END\r\n');
      expect(asked).toEqual(isShared ? ['a'] : []);
      // From now on it has data.
      handler.swap(tableOf(RECORDS));
      foreign.noteSwap();
      conversation.give(Buffer.from('get a none\r\n'));
      expect(conversation.played().output).toBe(`${output}${hit('a')}END\r\n`);
    }
  });
});

describe('a command that looks two keys up, and says so only when it does', () => {
  it('knows both in the end', () => {
    const { foreign, owners } = over(RECORDS);
    const keys = Buffer.from('ac');
    const look = (): string => {
      const view = foreign.view();
      try {
        return [0, 1]
          .map((at) => view.get(keys, at, at + 1)!)
          .map(({ buffer, valueStart, valueEnd }) => buffer.toString('utf8', valueStart, valueEnd))
          .join();
      } finally {
        view.release();
      }
    };
    for (const round of ['a', 'c']) {
      expect(look, round).toThrow(FOREIGN_KEY);
      foreign.ask(() => {});
    }
    expect(look()).toBe('value of a,value of c');
    expect(owners.asked).toEqual(['a', 'c']);
  });
});
