import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { REDIS_VERSION } from '../../../src/protocol/resp/about.ts';
import { COMMANDS } from '../../../src/protocol/resp/commands.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import { WRITES } from '../../../src/protocol/resp/writes.ts';
import { contextOf } from '../../support/session.ts';
import { tableOf } from '../../support/storages.ts';
import {
  ask,
  bulk,
  type Parsed,
  parseReplies,
  playAllWays,
  playCommand,
  playPieces,
  req,
} from './harness.ts';

const RECORDS = [
  ['s', 'hello world', 5],
  ['empty', ''],
] as const;
const storage = tableOf(RECORDS);

const NOT_AN_INTEGER = '-ERR value is not an integer or out of range\r\n';

/** A client id is a number that the tests do not know. */
function withoutIds(output: string): string {
  return output.replaceAll(/(id\r\n:)\d+/g, '$1N');
}

describe('commands that read', () => {
  it.each([
    ['GET s', bulk('hello world')],
    ['GET empty', bulk('')],
    ['GET no', '$-1\r\n'],
    ['MGET s', `*1\r\n${bulk('hello world')}`],
    ['MGET s no empty s', `*4\r\n${bulk('hello world')}$-1\r\n$0\r\n\r\n${bulk('hello world')}`],
    ['EXISTS s', ':1\r\n'],
    ['EXISTS no', ':0\r\n'],
    ['EXISTS s no s empty', ':3\r\n'],
    ['TOUCH s no', ':1\r\n'],
    ['STRLEN s', ':11\r\n'],
    ['STRLEN no', ':0\r\n'],
    ['TYPE s', '+string\r\n'],
    ['TYPE no', '+none\r\n'],
    ['TTL s', ':-1\r\n'],
    ['TTL no', ':-2\r\n'],
    ['PTTL s', ':-1\r\n'],
    ['EXPIRETIME s', ':-1\r\n'],
    ['PEXPIRETIME no', ':-2\r\n'],
    ['DBSIZE', ':2\r\n'],
  ])('answer as Redis does: %s', (command, reply) => {
    expect(playCommand(command, RECORDS)).toBe(reply);
  });

  it.each([
    ['0 -1', 'hello world'],
    ['0 100', 'hello world'],
    ['1 2', 'el'],
    ['-3 100', 'rld'],
    ['-3 -2', 'rl'],
    ['5 1', ''],
    ['-5 -6', ''],
    ['-100 -50', 'h'],
    ['-100 0', 'h'],
    ['11 11', ''],
    ['10 11', 'd'],
    ['9223372036854775807 9223372036854775807', ''],
    ['-9223372036854775808 -9223372036854775808', 'h'],
  ])('cut ranges as Redis does: %s', (range, part) => {
    expect(playCommand(`GETRANGE s ${range}`, RECORDS)).toBe(bulk(part));
    expect(playCommand(`SUBSTR s ${range}`, RECORDS)).toBe(bulk(part));
    expect(playCommand(`GETRANGE empty ${range}`, RECORDS)).toBe(bulk(''));
    expect(playCommand(`GETRANGE no ${range}`, RECORDS)).toBe(bulk(''));
  });

  it.each([
    'x 1',
    '0 x',
    '01 1',
    '+1 1',
    '-0 1',
    '0 9223372036854775808',
    '0 99999999999999999999',
  ])('take no range that is not in integers: %s', (range) => {
    expect(playCommand(`GETRANGE no ${range}`, RECORDS)).toBe(NOT_AN_INTEGER);
  });

  it('count keys that were asked for', () => {
    const requests = ['GET s', 'GET no', 'MGET s no no', 'GETRANGE s 0 1', 'GETRANGE no 0 1'];
    const others = ['EXISTS s no', 'STRLEN s', 'TYPE no', 'TTL s'];
    const bytes = [...requests, ...others].map((command) => req(...command.split(' ')));
    expect(playPieces(bytes, storage).counters).toMatchObject({
      cmd_get: 7,
      get_hits: 3,
      get_misses: 4,
      protocol_errors: 0,
    });
  });
});

describe('commands about the connection', () => {
  const BAD_NAME = '-ERR Client names cannot contain spaces, newlines or special characters.\r\n';
  const WRONG_PASSWORD = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';

  it.each([
    ['PING', '+PONG\r\n'],
    ['PING hello', bulk('hello')],
    ['ECHO hello', bulk('hello')],
    ['SELECT 0', '+OK\r\n'],
    ['SELECT 1', '-ERR DB index is out of range\r\n'],
    ['SELECT -1', '-ERR DB index is out of range\r\n'],
    ['SELECT x', NOT_AN_INTEGER],
    ['READONLY', '+OK\r\n'],
    ['READWRITE', '+OK\r\n'],
    ['CLUSTER INFO', '-ERR This instance has cluster support disabled\r\n'],
    ['AUTH default any', '+OK\r\n'],
    ['AUTH bob any', WRONG_PASSWORD],
    ['AUTH a b c', '-ERR syntax error\r\n'],
    ['CLIENT GETNAME', '$-1\r\n'],
    ['CLIENT SETNAME bob', '+OK\r\n'],
    ['CLIENT SETINFO LIB-NAME x', '+OK\r\n'],
    ['CLIENT SETINFO lib-ver 1', '+OK\r\n'],
    ['CLIENT SETINFO color red', "-ERR Unrecognized option 'color'\r\n"],
    ['CLIENT NO-EVICT on', '+OK\r\n'],
    ['CLIENT NO-TOUCH off', '+OK\r\n'],
    ['CLIENT NO-EVICT maybe', '-ERR syntax error\r\n'],
    ['CLIENT foo bar', "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n"],
    ['HELLO 4', '-NOPROTO unsupported protocol version\r\n'],
    ['HELLO x', '-ERR Protocol version is not an integer or out of range\r\n'],
    ['HELLO 3 AUTH bob x', WRONG_PASSWORD],
    ['HELLO 3 FOO', "-ERR Syntax error in HELLO option 'FOO'\r\n"],
    ['HELLO 2 SETNAME', "-ERR Syntax error in HELLO option 'SETNAME'\r\n"],
  ])('answer as Redis does: %s', (command, reply) => {
    expect(playCommand(command)).toBe(reply);
  });

  it('say that there is no password', () => {
    expect(playCommand('AUTH secret')).toMatch(/^-ERR AUTH <password> called without any password/);
  });

  it('let a client name itself', () => {
    const set = req('CLIENT', 'SETNAME', 'bob');
    const get = req('CLIENT', 'GETNAME');
    const played = playPieces([set, get, req('CLIENT', 'SETNAME', ''), get], storage);
    expect(played.output).toBe(`+OK\r\n${bulk('bob')}+OK\r\n$-1\r\n`);
    expect(playAllWays([req('CLIENT', 'SETNAME', 'a b')]).output).toBe(BAD_NAME);
    expect(playAllWays([req('CLIENT', 'SETNAME', 'x'.repeat(257))]).output).toBe(BAD_NAME);
    expect(playAllWays([req('HELLO', '3', 'SETNAME', 'a\nb')]).output).toBe(BAD_NAME);
  });

  it('number the clients', () => {
    const context = contextOf(createSimpleHandler(storage));
    const reply = new Reply();
    for (let client = 0; client < 3; client++) {
      const bytes = req('CLIENT', 'ID');
      respProtocol.createSession(context).receive(bytes, 0, bytes.length, reply);
    }
    const ids = parseReplies(Buffer.concat(reply.take()).toString());
    expect(ids).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);
    expect(new Set(ids).size).toBe(3);
  });

  it('greet with a map, and speak RESP3 from then on', () => {
    const fields =
      `${bulk('server')}${bulk('redis')}${bulk('version')}${bulk(REDIS_VERSION)}` +
      `${bulk('proto')}:P\r\n${bulk('id')}:N\r\n${bulk('mode')}${bulk('standalone')}` +
      `${bulk('role')}${bulk('master')}${bulk('modules')}*0\r\n`;
    const greet = (command: string): string =>
      withoutIds(playPieces([req(...command.split(' ')), req('GET', 'no')], storage).output);
    const resp2 = `*14\r\n${fields.replace('P', '2')}$-1\r\n`;
    const resp3 = `%7\r\n${fields.replace('P', '3')}_\r\n`;
    expect(greet('HELLO')).toBe(resp2);
    expect(greet('hello 2')).toBe(resp2);
    expect(greet('HELLO 3')).toBe(resp3);
    expect(greet('HELLO 3 AUTH default x SETNAME bob')).toBe(resp3);
  });

  it('keep to RESP2 when HELLO fails', () => {
    const requests = [req('HELLO', '3', 'SETNAME', 'bob', 'FOO'), req('CLIENT', 'GETNAME')];
    expect(playPieces(requests, storage).output).toMatch(/^-ERR Syntax.*\r\n\$-1\r\n$/);
  });

  it('take a name with HELLO', () => {
    const requests = [req('HELLO', '2', 'setname', 'bob'), req('CLIENT', 'GETNAME')];
    expect(playPieces(requests, storage).output.endsWith(bulk('bob'))).toBe(true);
  });

  it('are forgotten by RESET', () => {
    const requests = [req('HELLO', '3', 'SETNAME', 'bob'), req('RESET'), req('CLIENT', 'GETNAME')];
    expect(playPieces(requests, storage).output).toMatch(/\+RESET\r\n\$-1\r\n$/);
  });

  it.each([[['QUIT']], [['quit', 'now']]])('end it, and nothing behind is answered: %j', (quit) => {
    const played = playAllWays([req('PING'), req(...quit), req('PING')]);
    expect(played.output).toBe('+PONG\r\n+OK\r\n');
    expect(played.state).toBe('close');
  });
});

describe('RESP3', () => {
  const HELLO = req('HELLO', '3');

  function ask3(command: string): Parsed {
    const { output } = playPieces([HELLO, req(...command.split(' '))], storage);
    return parseReplies(output)[1];
  }

  it('has maps, sets, nulls and verbatim strings', () => {
    expect(ask3('MGET no s')).toEqual([null, 'hello world']);
    expect(ask3('CONFIG GET databases')).toEqual(['%', 'databases', '1']);
    expect(ask3('CONFIG GET nothing')).toEqual(['%']);
    expect(ask3('COMMAND DOCS get')).toEqual(['%']);
    expect(ask3('INFO keyspace')).toBe('txt:# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\n');
    expect(ask3('COMMAND INFO mget no')).toEqual([
      ['mget', -2, ['~', 'readonly', 'fast'], 1, -1, 1, ['~'], ['~'], ['~'], []],
      null,
    ]);
    const { output } = playPieces([HELLO, req('GET', 'no')], storage);
    expect(output.endsWith('\r\n_\r\n')).toBe(true);
  });
});

describe('commands about the server', () => {
  it('report the settings that a pattern matches', () => {
    expect(playCommand('CONFIG GET save databases')).toBe(
      `*4\r\n${bulk('save')}${bulk('')}${bulk('databases')}${bulk('1')}`,
    );
    expect(ask(storage, 'CONFIG GET max*')).toEqual([
      ...['maxclients', '100', 'maxmemory', '0', 'maxmemory-policy', 'noeviction'],
    ]);
    expect(ask(storage, 'CONFIG GET nothing')).toEqual([]);
    expect(ask(storage, `CONFIG GET ${'*'.repeat(1000)}`)).toEqual([]);
    expect(playCommand('CONFIG SET a b')).toBe(
      "-ERR unknown subcommand 'SET'. Try CONFIG HELP.\r\n",
    );
  });

  it('report on the server in sections', () => {
    const info = String(ask(storage, 'INFO'));
    const titles = ['Server', 'Clients', 'Memory', 'Persistence', 'Stats', 'Replication'];
    expect(info.match(/^# \w+/gm)).toEqual(
      [...titles, 'Cluster', 'Keyspace', 'Dataset'].map((title) => `# ${title}`),
    );
    expect(info.split('\r\n')).toEqual(
      expect.arrayContaining([
        `redis_version:${REDIS_VERSION}`,
        'uptime_in_seconds:5',
        'maxclients:100',
        'loading:0',
        'db0:keys=2,expires=0,avg_ttl=0',
        'generation:7',
        `md5:${'f'.repeat(32)}`,
      ]),
    );
    expect(ask(storage, 'INFO all')).toMatch(/# Server\r\n(.*\r\n)*# Dataset/);
    expect(ask(storage, 'INFO nothing')).toBe('');
    expect(ask(storage, 'info DATASET keyspace')).toMatch(/^# Keyspace\r\n[^#]*\r\n# Dataset\r\n/);
    expect(ask(tableOf([]), 'INFO keyspace')).toBe('# Keyspace\r\n');
  });

  it('give real numbers', () => {
    const requests = ['GET s', 'GET no', 'MGET s s no', 'foo', 'INFO stats'];
    const { output } = playPieces(
      requests.map((command) => req(...command.split(' '))),
      storage,
    );
    expect(output).toMatch(/keyspace_hits:3\r\nkeyspace_misses:2\r\n/);
    expect(output).toMatch(/protocol_errors:1\r\n/);
  });

  it('report the time', () => {
    const [seconds, microseconds] = ask(storage, 'TIME') as readonly string[];
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(10);
    expect(Number(microseconds)).toBeLessThan(1_000_000);
  });

  it('report the commands', () => {
    const all = ask(storage, 'COMMAND') as readonly Parsed[];
    expect(ask(storage, 'COMMAND COUNT')).toBe(COMMANDS.size);
    expect(ask(storage, 'COMMAND INFO')).toEqual(all);
    expect(ask(storage, 'COMMAND LIST')).toEqual([...COMMANDS.keys()]);
    expect(all).toHaveLength(COMMANDS.size);
    expect(ask(storage, 'COMMAND INFO get set')).toEqual([
      ['get', 2, ['readonly', 'fast'], 1, 1, 1, [], [], [], []],
      null,
    ]);
    expect(ask(storage, 'COMMAND DOCS')).toEqual([]);
    expect(playCommand('COMMAND FOO')).toBe("-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n");
  });
});

it.each([
  'CLIENT <text>',
  'CLIENT LIST TYPE <text>',
  'CLIENT SETINFO <text> x',
  'CLIENT TRACKING ON REDIRECT 5999 BCAST PREFIX <text> PREFIX <text>',
  'HELLO 3 <text>',
  'LATENCY GRAPH <text>',
])('the error of %s tells 128 characters of it', (line) => {
  const output = playCommand(line.replaceAll('<text>', 't'.repeat(1_000)));
  expect(output).toMatch(/^-ERR [^\r\n]*\r\n$/);
  const texts = output.match(/'t+'/g) ?? [];
  expect(texts.map((text) => text.length - 2)).toEqual(texts.map(() => 128));
  expect(texts.length).toBeGreaterThan(0);
});

describe('commands with a wrong number of arguments', () => {
  const wrong = (name: string): string =>
    `-ERR wrong number of arguments for '${name}' command\r\n`;

  it.each([
    ['GET', 'get'],
    ['Get a b', 'get'],
    ['MGET', 'mget'],
    ['EXISTS', 'exists'],
    ['GETRANGE s 1', 'getrange'],
    ['PING a b', 'ping'],
    ['ECHO', 'echo'],
    ['DBSIZE x', 'dbsize'],
    ['KEYS', 'keys'],
    ['CLIENT', 'client'],
    ['CLIENT SETNAME', 'client|setname'],
    ['CONFIG GET', 'config|get'],
    ['COMMAND COUNT x', 'command|count'],
    ['SET a', 'set'],
    ['DEL', 'del'],
    ['INCR a b', 'incr'],
  ])('are told so: %s', (command, name) => {
    const played = playAllWays([req(...command.split(' '))], RECORDS);
    expect(played.output).toBe(wrong(name));
    expect(played.counters.protocol_errors).toBe(1);
  });

  it('do not exist that the session cannot survive', () => {
    for (const { name } of [...COMMANDS.values(), ...WRITES]) {
      for (let args = 0; args < 8; args++) {
        const { output } = playPieces([req(name, ...Array(args).fill('1'))], storage);
        expect(parseReplies(output)).toHaveLength(1);
      }
    }
  });
});

describe('commands that write', () => {
  const READ_ONLY = "-READONLY You can't write against a read only replica.\r\n";

  it('are refused as by a replica, and the connection goes on', () => {
    for (const { name, arity } of WRITES) {
      const args = Array(Math.abs(arity) - 1).fill('x');
      const played = playAllWays([req(name.toUpperCase(), ...args), req('PING')]);
      expect(played.output, name).toBe(`${READ_ONLY}+PONG\r\n`);
      expect(played.counters.protocol_errors, name).toBe(0);
    }
  });

  it('have their data swallowed, however much it is, and whatever is in it', () => {
    expect(playAllWays([req('SET', 'k', req('GET', 's')), req('GET', 's')], RECORDS).output).toBe(
      READ_ONLY + bulk('hello world'),
    );
    const large = req('SET', 'k', 'x'.repeat(20_000_000));
    expect(
      playPieces([large.subarray(0, 9_000_000), large.subarray(9_000_000)], storage).output,
    ).toBe(READ_ONLY);
  });

  it('are counted', () => {
    const requests = [
      ...['SET a b', 'MSET a b c d', 'HSET a b c', 'DEL a b', 'UNLINK a', 'INCR a', 'INCRBY a 1'],
      ...['DECR a', 'EXPIRE a 1', 'GETEX a', 'FLUSHALL', 'SET a'],
    ].map((command) => req(...command.split(' ')));
    expect(playPieces(requests, storage).counters).toMatchObject({
      cmd_set: 3,
      delete_misses: 2,
      incr_misses: 2,
      decr_misses: 1,
      cmd_touch: 2,
      touch_misses: 2,
      cmd_flush: 1,
      protocol_errors: 1,
    });
  });

  it('are none of those that are served', () => {
    expect(WRITES.filter(({ name }) => COMMANDS.has(name))).toEqual([]);
  });
});
