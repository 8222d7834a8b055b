import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { TURN_WORK_MAX } from '../../../src/protocol/reply.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { Conversation, play, playAllWays } from '../../support/session.ts';
import { MapStorage, type TestRecord, tableOf } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [
  ['a', 'of a'],
  ['with space', '', 42],
  ['A-z_0.9~', 'x'],
  ['%+/\xff\r\n\0', 'x'],
];
const META =
  'key=a exp=-1 la=1700000000 cas=7 fetch=no cls=1 size=15\n' +
  'key=with%20space exp=-1 la=1700000000 cas=7 fetch=no cls=1 size=21\n' +
  'key=A-z_0.9~ exp=-1 la=1700000000 cas=7 fetch=no cls=1 size=19\n' +
  'key=%25%2B%2F%FF%0D%0A%00 exp=-1 la=1700000000 cas=7 fetch=no cls=1 size=18\n' +
  'END\r\n';
const MG = 'OK\r\nmg a\r\nmg d2l0aCBzcGFjZQ== b\r\nmg A-z_0.9~\r\nmg JSsv/w0KAA== b\r\nEN\r\n';
const VERSION = 'VERSION 1.6.99\r\n';
const BAD_CLASS = 'BADCLASS invalid class id\r\n';

function manyRecords(count: number): readonly TestRecord[] {
  return Array.from({ length: count }, (_, i): TestRecord => [`key ${i}`, 'x']);
}

describe('lru_crawler metadump', () => {
  it('lists all keys, encoded as in a URI, in lines that end in a bare line feed', () => {
    for (const classes of ['all', 'hash', '1', '2,1', '1,63']) {
      const input = `lru_crawler metadump ${classes}\r\nversion\r\n`;
      expect(playAllWays(input, RECORDS).output).toBe(META + VERSION);
    }
  });

  it('lists nothing of other classes, and complains about those that do not exist', () => {
    for (const classes of ['2', '2,63']) {
      expect(playAllWays(`lru_crawler metadump ${classes}\r\n`, RECORDS).output).toBe('END\r\n');
    }
    for (const classes of ['0', '64', 'x', '1,x', 'ALL', '-1']) {
      expect(playAllWays(`lru_crawler metadump ${classes}\r\n`, RECORDS).output).toBe(BAD_CLASS);
    }
  });

  it('is unknown without an argument or with two', () => {
    const input = 'lru_crawler metadump\r\nlru_crawler metadump all x\r\nlru_crawler mgdump\r\n';
    expect(playAllWays(input, RECORDS).output).toBe('ERROR\r\n'.repeat(3));
  });

  it('ends at once when there are no keys', () => {
    expect(playAllWays('lru_crawler metadump all\r\n').output).toBe('END\r\n');
  });

  it('says so when the storage cannot list its keys', () => {
    const { output, state } = play(
      'lru_crawler metadump all\r\nversion\r\n',
      new MapStorage(RECORDS),
    );
    expect(output).toMatch(/^CLIENT_ERROR lru_crawler metadump not allowed: .*\r\nVERSION/);
    expect(state).toBe('open');
  });
});

describe('lru_crawler mgdump', () => {
  it('lists all keys as commands, in base64 where they need it', () => {
    expect(playAllWays('lru_crawler mgdump all\r\nversion\r\n', RECORDS).output).toBe(MG + VERSION);
  });

  it('lists commands that get the keys', () => {
    const commands = MG.split('\r\n').filter((line) => line.startsWith('mg '));
    const input = commands.map((command) => `${command} s\r\n`).join('');
    expect(play(input, tableOf(RECORDS)).output).toBe('HD s4\r\nHD s0\r\nHD s1\r\nHD s1\r\n');
  });
});

describe('a long dump', () => {
  const records = manyRecords(5_000);

  it('comes in parts, with each key once', () => {
    const { output, sends } = playAllWays('lru_crawler mgdump all\nversion\n', records);
    const lines = output.split('\r\n');
    expect(lines.slice(-3)).toEqual(['EN', 'VERSION 1.6.99', '']);
    const keys = lines.slice(1, -3).map((line) => /^mg (\S+) b$/.exec(line)?.[1]);
    expect(new Set(keys).size).toBe(5_000);
    expect(keys.length).toBe(5_000);
    // These lines are short: the others have their turn before a reply is full.
    expect(sends).toBeGreaterThanOrEqual(Math.ceil(5_000 / TURN_WORK_MAX));
    expect(sends).toBeLessThanOrEqual(2 * Math.ceil(5_000 / TURN_WORK_MAX));
  });

  it('asks the storage for no more than a reply takes before it is sent', () => {
    const table = tableOf(records);
    let shown = 0;
    const storage: Storage = {
      info: table.info,
      get: table.get.bind(table),
      scan: (cursor, limit, visit) =>
        table.scan!(cursor, limit, (...record) => {
          shown++;
          visit(...record);
        }),
      close: () => {},
    };
    const conversation = new Conversation(createSimpleHandler(storage));
    conversation.giveOnce(Buffer.from('lru_crawler metadump all\r\n'));
    expect(shown).toBeGreaterThan(0);
    expect(shown).toBeLessThan(1_000);
  });

  it('is answered from one generation, which is closed behind it', () => {
    const old = tableOf(records);
    let isClosed = false;
    const handler = createSimpleHandler({
      info: old.info,
      get: old.get.bind(old),
      scan: old.scan!.bind(old),
      close: () => {
        isClosed = true;
      },
    });
    const conversation = new Conversation(handler);
    conversation.giveOnce(Buffer.from('lru_crawler metadump all\r\ngets key\r\n'));
    handler.swap(tableOf([['key', 'new']], 8));
    expect(isClosed).toBe(false);
    conversation.give(Buffer.alloc(0));
    expect(isClosed).toBe(true);
    const { output } = conversation.played();
    expect(output.match(/ cas=7 /g)?.length).toBe(5_000);
    expect(output.endsWith('END\r\nVALUE key 0 3 8\r\nnew\r\nEND\r\n')).toBe(true);
  });

  it('lets go of the data when the client is gone', () => {
    const table = tableOf(records);
    let isClosed = false;
    const handler = createSimpleHandler({
      info: table.info,
      get: table.get.bind(table),
      scan: table.scan!.bind(table),
      close: () => {
        isClosed = true;
      },
    });
    const conversation = new Conversation(handler);
    conversation.giveOnce(Buffer.from('lru_crawler metadump all\r\n'));
    handler.swap(tableOf([]));
    conversation.session.close();
    conversation.session.close();
    expect(isClosed).toBe(true);
  });
});
