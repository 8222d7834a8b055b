import { describe, expect, it } from 'vitest';
import { DataSetsHandler } from '../../../src/handler/data-sets.ts';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import {
  countersOf,
  createCounterMemory,
  resetCounters,
  sumCounters,
} from '../../../src/protocol/counters.ts';
import { CONNECTIONS_LISTED_MAX } from '../../../src/protocol/stats-details.ts';
import { DEFAULT_LIMITS } from '../../../src/server/limits.ts';
import { settingsOf } from '../../../src/server/settings.ts';
import { Conversation, play, playAllWays } from '../../support/session.ts';
import { MapStorage, type TestRecord, tableOf } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [
  ['a', 'of a'],
  ['b', 'of b'],
];

/** The lines of a stats reply, by name; each must have the form of one. */
function statsIn(output: string): ReadonlyMap<string, string> {
  const lines = output.split('\r\n');
  expect(lines.slice(-2)).toEqual(['END', '']);
  return new Map(
    lines.slice(0, -2).map((line): [string, string] => {
      const [, name, value] = /^STAT (\S+) (\S+)$/.exec(line)!;
      return [name, value];
    }),
  );
}

function stats(argument: string, records = RECORDS): Record<string, string> {
  const { output, sends } = play(
    `get a b a nope\r\ngat 0 a\r\nstats ${argument}\r\n`,
    tableOf(records),
  );
  expect(sends).toBe(1);
  return Object.fromEntries(statsIn(output.slice(output.lastIndexOf('END\r\nSTAT') + 5)));
}

/** What prometheus-memcached-exporter, munin's plugin and memcached-top read. */
const READ_BY_TOOLS = `
  limit_maxbytes listen_disabled_num time_in_listen_disabled_us connection_structures cas_misses
  cas_hits cas_badval malloc_fails store_too_large store_no_memory evicted_active direct_reclaims
  crawler_reclaimed accepting_conns bytes curr_items total_items threads
`;

it('stats has the names that exporters read, with numbers', () => {
  const all = stats('');
  for (const name of READ_BY_TOOLS.trim().split(/\s+/)) {
    expect([name, all[name]]).toEqual([name, expect.stringMatching(/^\d+$/)]);
  }
});

it('lines with a colon are of a numbered class, as exporters take them, also of several data sets', () => {
  const handler = new DataSetsHandler(':');
  for (const set of ['geo', 'users', '']) handler.put(set, tableOf(RECORDS), 1);
  const news = { lastError: undefined, waiting: undefined };
  const loadNews = new Map(['geo', 'users', ''].map((set) => [set, news]));
  const conversation = new Conversation(handler, { loadNews });
  for (const group of ['', ' slabs', ' items', ' settings'])
    conversation.give(Buffer.from(`stats${group}\r\n`));
  const lines = conversation
    .played()
    .output.split('\r\n')
    .filter((line) => line.startsWith('STAT'));
  expect(lines).toContain('STAT keys 6');
  for (const line of lines) {
    expect(line).toMatch(/^STAT (items:\d+:|\d+:)?[a-z\d_]+ [^ ]+$/);
  }
  conversation.give(Buffer.from('stats dataset\r\n'));
  expect(conversation.played().output).toContain('STAT dataset:users:keys 2\r\n');
});

it('a refused cas is a miss, and the limit of memory is the one that was set', () => {
  const facts = { version: '1.0.0', threads: 1, startedAt: 0, connectionsMax: 9 };
  const { output } = play('cas k 0 0 1 2\r\nx\r\nstats\r\n', tableOf([]), {
    facts: { ...facts, settings: { maxbytes: 4711 } },
  });
  expect(output).toContain('STAT cas_misses 1\r\n');
  expect(output).toContain('STAT limit_maxbytes 4711\r\n');
});

describe('stats with an argument', () => {
  it('settings reports what the server works with', () => {
    expect(stats('settings')).toMatchObject({
      maxconns: '100',
      num_threads: '2',
      cas_enabled: 'yes',
      flush_enabled: 'no',
      dump_enabled: 'yes',
      shutdown_command: 'no',
      loud_refusals: 'no',
      read_only: 'yes',
    });
  });

  it('settings adds what the server was started with', () => {
    const facts = { version: '1.0.0', threads: 3, startedAt: 0, connectionsMax: 9 };
    const settings = settingsOf({
      ...{ threads: 3, access: { allow: [], userFile: 'u' }, allowShutdown: true },
      ...{ limits: { ...DEFAULT_LIMITS, connectionsMax: 9, keysMax: 7 }, sessions: {} },
    });
    const { output } = play('stats settings\r\n', new MapStorage([]), {
      facts: { ...facts, settings: { ...settings, tcpport: 11211 } },
    });
    expect(Object.fromEntries(statsIn(output))).toMatchObject({
      maxconns: '9',
      num_threads: '3',
      keys_per_request_max: '7',
      idle_timeout: '0',
      stall_timeout: '30',
      tcpport: '11211',
      dump_enabled: 'no',
      shutdown_command: 'yes',
      loud_refusals: 'no',
      ssl_enabled: 'no',
      auth_enabled_ascii: 'yes',
    });
  });

  it('items reports one class with all records', () => {
    const items = stats('items');
    expect(items).toMatchObject({ 'items:1:number': '2', 'items:1:evicted': '0' });
    expect(Number(items['items:1:mem_requested'])).toBeGreaterThan(0);
    expect(Number(items['items:1:age'])).toBeGreaterThan(0);
    expect(play('stats items\r\n', tableOf([])).output).toBe('END\r\n');
  });

  it('slabs reports one class with all records', () => {
    expect(stats('slabs')).toMatchObject({
      '1:chunk_size': expect.stringMatching(/^[1-9]\d*$/),
      '1:total_pages': '1',
      '1:used_chunks': '2',
      '1:get_hits': '3',
      '1:touch_hits': '1',
      '1:cmd_set': '0',
      active_slabs: '1',
    });
    expect(play('stats slabs\r\n', tableOf([])).output).toMatch(
      /^STAT active_slabs 0\r\nSTAT total_malloced \d+\r\nEND\r\n$/,
    );
  });

  it('conns reports the connections, when the server keeps count of them', () => {
    expect(playAllWays('stats conns\r\n').output).toBe('STAT conns_status disabled\r\nEND\r\n');
    const connection = {
      id: 12,
      address: 'tcp:127.0.0.1:40530',
      listenAddress: 'tcp:127.0.0.1:11211',
      state: 'conn_read',
      idleSeconds: 3,
    } as const;
    const { output } = play('stats conns\r\n', tableOf([]), { connections: () => [connection] });
    expect(output).toBe(
      'STAT 12:addr tcp:127.0.0.1:40530\r\nSTAT 12:listen_addr tcp:127.0.0.1:11211\r\n' +
        'STAT 12:state conn_read\r\nSTAT 12:secs_since_last_cmd 3\r\n' +
        'STAT conns_listed 1\r\nSTAT conns_of_thread 0\r\nSTAT conns_of_all_threads 0\r\nEND\r\n',
    );
  });

  it('conns reports so many connections at most, and how many there are', () => {
    const connection = { address: 'unix', listenAddress: 'unix:/g', idleSeconds: 0 };
    const connections = Array.from({ length: CONNECTIONS_LISTED_MAX + 1 }, (_, id) => ({
      ...connection,
      id,
      state: 'conn_read' as const,
    }));
    const { output } = play('stats conns\r\n', tableOf([]), { connections: () => connections });
    expect(output.match(/:addr unix\r\n/g)).toHaveLength(CONNECTIONS_LISTED_MAX);
    expect(output).toContain(`STAT conns_listed ${CONNECTIONS_LISTED_MAX}\r\n`);
  });

  it('dataset reports what is served', () => {
    expect(stats('dataset')).toMatchObject({
      generation: '7',
      keys: '2',
      md5: 'f'.repeat(32),
      format: 'test',
      loaded_at: '1700000000',
    });
  });

  it('sizes are off, as memcached says it', () => {
    expect(playAllWays('stats sizes\r\n').output).toBe('STAT sizes_status disabled\r\nEND\r\n');
  });

  it('is an error when it is not known', () => {
    const input = 'stats x\r\nstats noreply\r\nstats SIZES\r\nstats cachedump 1 1\r\nstats\t\r\n';
    expect(playAllWays(input).output).toBe('ERROR\r\n'.repeat(5));
  });

  it('ignores what comes behind it', () => {
    expect(playAllWays('  stats  sizes  x y \r\n').output).toContain('STAT sizes_status disabled');
  });
});

describe('stats reset', () => {
  it('makes the counters begin again, but not those that report how things are', () => {
    const conversation = new Conversation(createSimpleHandler(tableOf(RECORDS)));
    conversation.counters.curr_connections = 5;
    conversation.counters.total_connections = 9;
    conversation.give(
      Buffer.from('get a b\r\nset k 0 0 1\r\nx\r\nstats reset\r\nget a\r\nstats\r\n'),
    );
    const { output } = conversation.played();
    expect(output).toContain('RESET\r\n');
    const after = statsIn(output.slice(output.indexOf('STAT pid')));
    expect(Object.fromEntries(after)).toMatchObject({
      cmd_get: '1',
      get_hits: '1',
      cmd_set: '0',
      refused_set: '0',
      total_connections: '0',
      curr_connections: '5',
      curr_items: '2',
    });
  });

  it('is not allowed when the server does not say how', () => {
    const memory = createCounterMemory(1);
    const handler = createSimpleHandler(tableOf([]));
    const context = { counters: countersOf(memory, 0), sumCounters: () => sumCounters(memory) };
    const conversation = new Conversation(handler, {
      ...context,
      resetCounters: undefined as never,
    });
    conversation.give(Buffer.from('stats reset\r\n'));
    expect(conversation.played().output).toBe('CLIENT_ERROR stats reset not allowed\r\n');
  });
});

describe('the counters', () => {
  it('of all threads are summed since the last reset', () => {
    const memory = createCounterMemory(3);
    const threads = [0, 1, 2].map((thread) => countersOf(memory, thread));
    for (const counters of threads) {
      counters.cmd_get += 10;
      counters.curr_connections++;
    }
    expect(sumCounters(memory)).toMatchObject({ cmd_get: 30, curr_connections: 3 });
    resetCounters(memory);
    expect(sumCounters(memory)).toMatchObject({ cmd_get: 0, curr_connections: 3 });
    threads[1].cmd_get++;
    threads[2].curr_connections--;
    expect(sumCounters(memory)).toMatchObject({ cmd_get: 1, curr_connections: 2 });
    resetCounters(memory);
    expect(sumCounters(memory)).toMatchObject({ cmd_get: 0, curr_connections: 2 });
    expect(threads[0].cmd_get).toBe(10);
  });
});
