import { describe, expect, it } from 'vitest';
import { play, playAllWays } from '../../support/session.ts';
import { MapStorage, type TestRecord } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [['a', 'of a']];
const A = 'VALUE a 0 4\r\nof a\r\nEND\r\n';
const VERSION = 'VERSION 1.6.99\r\n';

describe('version', () => {
  it('answers with three dotted numbers and nothing behind, whatever its arguments', () => {
    expect(playAllWays('version\r\nversion a b noreply\r\n').output).toBe(VERSION.repeat(2));
  });
});

describe('quit', () => {
  it('lets earlier replies out and drops later commands', () => {
    const played = playAllWays('get a\r\nquit\r\nget a\r\n', RECORDS);
    expect(played).toMatchObject({ output: A, state: 'close' });
  });

  it('works with arguments', () => {
    expect(playAllWays('quit now\r\nversion\r\n')).toMatchObject({ output: '', state: 'close' });
  });
});

describe('verbosity', () => {
  it('is accepted, as clients send it', () => {
    expect(playAllWays('verbosity 1\r\nverbosity +2 x\r\n').output).toBe('OK\r\n'.repeat(2));
  });

  it('is silent under noreply', () => {
    expect(
      playAllWays('verbosity 1 noreply\r\nverbosity noreply\r\nverbosity x noreply\r\n').output,
    ).toBe('');
  });

  it('refuses a level that is no number', () => {
    const output = 'CLIENT_ERROR bad command line format\r\n'.repeat(2);
    expect(playAllWays('verbosity x\r\nverbosity -1\r\n').output).toBe(output);
  });

  it('is unknown with no argument or with three, also under noreply', () => {
    expect(playAllWays('verbosity\r\nverbosity 1 2 3\r\nverbosity 1 2 noreply\r\n').output).toBe(
      'ERROR\r\n'.repeat(3),
    );
  });
});

describe('mn', () => {
  it('answers, so that a client knows that all before it is answered', () => {
    expect(playAllWays('mn\r\nmn x\r\n').output).toBe('MN\r\n'.repeat(2));
  });
});

describe('an unknown command', () => {
  it('is answered with an error each time', () => {
    for (const line of [
      '',
      ' ',
      '\t',
      'x',
      'VERSION',
      'Version',
      'versions',
      'noop',
      'version\t',
      '\x00',
    ]) {
      expect(playAllWays(`${line}\r\nget a\r\n${line}\n`, RECORDS).output).toBe(
        `ERROR\r\n${A}ERROR\r\n`,
      );
    }
  });

  it('counts as a protocol error', () => {
    expect(playAllWays('x\r\n\r\nget\r\nverbosity\r\nstats x\r\n').counters.protocol_errors).toBe(
      5,
    );
  });

  it('closes the connection without a byte when it is a request of HTTP', () => {
    for (const line of ['GET / HTTP/1.1', 'POST /x HTTP/1.0 ', 'HTTP/1.1']) {
      const played = playAllWays(`version\r\n${line}\r\nHost: x\r\n\r\n`);
      expect(played).toMatchObject({ output: VERSION, state: 'close' });
    }
  });
});

describe('what looks like HTTP', () => {
  it('is only an unknown command when it begins like a command', () => {
    for (const line of ['a HTTP/1.1', 'ax HTTP/1.1', 'gx y HTTP/1.1', 'mx HTTP/1.1', 'x HTTP/1']) {
      expect(playAllWays(`${line}\r\n`)).toMatchObject({ output: 'ERROR\r\n', state: 'open' });
    }
    expect(playAllWays('version HTTP/1.1\r\n').output).toBe(VERSION);
  });

  it('ends the connection only within the words that memcached looks at', () => {
    const line = (words: number): string => `bx ${'y '.repeat(words - 2)}HTTP/1.1\r\n`;
    expect(playAllWays(line(23))).toMatchObject({ output: '', state: 'close' });
    expect(playAllWays(line(24))).toMatchObject({ output: 'ERROR\r\n', state: 'open' });
  });
});

describe('shutdown', () => {
  it('is not enabled unless the server says how', () => {
    expect(playAllWays('shutdown\r\nshutdown graceful\r\nshutdown x y\r\n').output).toBe(
      'ERROR: shutdown not enabled\r\n'.repeat(3),
    );
  });

  it('ends the server, and the connection without a word', () => {
    for (const input of ['shutdown\r\nversion\r\n', 'shutdown graceful\r\n']) {
      let shutdowns = 0;
      const shutdown = (): void => {
        shutdowns++;
      };
      const played = play(`version\r\n${input}`, new MapStorage([]), { shutdown });
      expect(played).toMatchObject({ output: VERSION, state: 'close' });
      expect(shutdowns).toBe(1);
    }
  });

  it('does not end it in a way that it does not know', () => {
    const shutdown = (): never => {
      throw new Error('the server was ended');
    };
    const { output } = play('shutdown x\r\nshutdown graceful x\r\n', new MapStorage([]), {
      shutdown,
    });
    expect(output).toBe('CLIENT_ERROR invalid shutdown mode\r\n'.repeat(2));
  });
});

describe('commands that administer memcached', () => {
  it.each([
    ...[
      'slabs automove 0',
      'lru mode flat',
      'lru_crawler enable',
      'lru_crawler',
      'cache_memlimit 9',
    ],
    ...['refresh_certs', 'watch', 'stats detail dump'],
  ])('are unknown, as there is nothing that they could change: %s', (line) => {
    expect(playAllWays(`${line}\r\nversion\r\n`).output).toBe(`ERROR\r\n${VERSION}`);
  });
});

describe('a request of the binary protocol', () => {
  it('resets the connection when it is the first: a client would hang on anything else', () => {
    const played = playAllWays('\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\r\n');
    expect(played).toMatchObject({ output: '', state: 'reset' });
  });

  it('is only an unknown command on a connection that speaks text', () => {
    expect(playAllWays('version\r\n\x80\r\n')).toMatchObject({
      output: `${VERSION}ERROR\r\n`,
      state: 'open',
    });
  });
});

describe('stats', () => {
  it('reports on the server, its counters and its data, in one reply', () => {
    const { output, sends } = play(
      'get a nope a\r\nset k 0 0 1\r\na\r\nx\r\nstats \r\n',
      new MapStorage(RECORDS),
    );
    const lines = output.slice(output.indexOf('STAT')).split('\r\n');
    expect(sends).toBe(1);
    expect(lines.slice(-2)).toEqual(['END', '']);
    const stats = new Map(
      lines.slice(0, -2).map((line): [string, string] => {
        const [, name, value] = /^STAT (\S+) (\S+)$/.exec(line)!;
        return [name, value];
      }),
    );
    expect(Object.fromEntries(stats)).toMatchObject({
      pid: String(process.pid),
      version: '1.6.99',
      pointer_size: '64',
      max_connections: '100',
      threads: '2',
      cmd_get: '3',
      get_hits: '2',
      get_misses: '1',
      cmd_set: '1',
      protocol_errors: '1',
      curr_items: '1',
      generation: '7',
      keys: '1',
      md5: 'f'.repeat(32),
      format: 'test',
      loaded_at: '1700000000',
    });
    expect(Number(stats.get('uptime'))).toBeGreaterThanOrEqual(5);
    expect(stats.get('rusage_user')).toMatch(/^\d+\.\d{6}$/);
  });

  it('has a value for every name, also before there is data', () => {
    const storage = {
      ...new MapStorage([]),
      info: { ...new MapStorage([]).info, md5: '' },
      get: () => undefined,
    };
    const { output } = play('stats\r\n', { ...storage, close: () => {} });
    expect(output).toContain('STAT md5 none\r\n');
    expect(output.split('\r\n').filter((line) => /^STAT \S+ $/.test(line))).toEqual([]);
  });
});
