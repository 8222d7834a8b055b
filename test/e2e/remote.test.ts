/** The commands that ask servers over the network. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { expectAll } from '../../src/cli/remote/expect-all.ts';
import type { HttpPlace } from '../../src/cli/remote/http-get.ts';
import { readHttpStatus, readStatsStatus } from '../../src/cli/remote/remote-status.ts';
import { showRemote } from '../../src/cli/remote/show-remote.ts';
import { formatAddress } from '../../src/common/address.ts';
import { HttpSubject } from '../http/http-subject.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const DATA = '{"k":"1"}';

function urlOf({ http: address }: HttpSubject): URL {
  return new URL(`http://${formatAddress(address)}`);
}

async function load(subject: HttpSubject, content = DATA): Promise<void> {
  const { loads_taken } = subject.goromdb.status().dataSets[0].counters;
  drop(subject.file, content);
  await expect
    .poll(() => subject.goromdb.status().dataSets[0].counters.loads_taken)
    .toBe(loads_taken + 1);
}

/** What `goromdb status` prints of a server elsewhere, and its exit code. */
async function show(place: HttpPlace, isJson = false): Promise<{ code: number; text: string }> {
  let text = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((piece) => {
    text += String(piece);
    return true;
  });
  const code = await showRemote(place, isJson).finally(() => spy.mockRestore());
  return { code, text };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('goromdb status of a server elsewhere', () => {
  it('says the same of the data by HTTP and by stats: nothing, then a generation, then a waiting drop', async () => {
    const subject = await HttpSubject.start();
    const { address } = subject.goromdb;
    for (const place of [urlOf(subject), address]) {
      const { code, text } = await show(place);
      expect(code).toBe(4);
      // By stats there is only memcached's version.
      const version = place === address ? '' : ', version \\d[\\d.]+';
      const server = `^server   [^,]+${version}, pid \\d+, up since 2.*\nserves   nothing`;
      expect(text).toMatch(new RegExp(server));
    }
    await load(subject);
    const lines = new Set<string>();
    for (const place of [urlOf(subject), address]) {
      const { code, text } = await show(place);
      expect(code).toBe(0);
      lines.add(text.split('\n')[1].replace(/\d\d\.\d{3}Z/, ''));
    }
    const [line, ...others] = lines;
    expect(line).toMatch(
      new RegExp(`^serves   generation 1, 1 key, of json, md5 ${md5(DATA)}, inst`),
    );
    expect(others).toEqual([]);
    drop(subject.file, DATA, 'f'.repeat(32));
    await expect
      .poll(async () => (await show(address)).text)
      .toContain('a drop waits: SUM_MISMATCH');
    expect((await show(urlOf(subject))).text).toContain('a drop waits: SUM_MISMATCH');
  });

  it('as JSON is all that the server says', async () => {
    const subject = await HttpSubject.start();
    const status = JSON.parse((await show(urlOf(subject), true)).text);
    expect(status).toMatchObject({ server: { pid: process.pid }, dataSets: [{ prefix: '' }] });
    const { text } = await show(subject.goromdb.address, true);
    expect(JSON.parse(text)).toMatchObject({ dataset: { generation: '0', md5: 'none' } });
  });

  it('distinguishes several data sets by their prefixes, as stats and HTTP both name them', async () => {
    const stats = [
      'STAT pid 1\r\nSTAT version 9\r\nEND\r\n',
      'STAT generation 7\r\nSTAT keys 3\r\n',
      'STAT dataset:geo:eu:generation 7\r\nSTAT dataset:geo:eu:keys 3\r\nSTAT dataset:geo:eu:md5 abc\r\n',
      'STAT dataset::generation 0\r\nSTAT dataset::last_load_error DATA_CORRUPT\r\n',
      'STAT dataset::last_load_error_text broken \x1b[2J at byte 7\r\nEND\r\n',
    ];
    const port = await listen(
      net.createServer((socket) => {
        socket.on('error', () => {}).end(stats.join(''));
      }),
    );
    const place = { kind: 'tcp', host: '127.0.0.1', port } as const;
    expect((await readStatsStatus(place)).sets).toMatchObject([
      { prefix: 'geo:eu', serving: { generation: 7, keys: 3, md5: 'abc' }, notes: [] },
      { prefix: '', serving: undefined },
    ]);
    const { code, text } = await show(place);
    expect(code).toBe(4);
    expect(text).toContain('serves   all other keys: nothing');
    expect(text).toContain('last error: DATA_CORRUPT: broken \\x1b[2J at byte 7\n');
  });

  it.each([
    ['nothing', ''],
    ['an error', 'ERROR\r\nERROR\r\n'],
    ['what memcached does', 'STAT pid 1\r\nEND\r\nERROR\r\n'],
    ['a login', 'CLIENT_ERROR unauthenticated\r\n'],
    ['no end', 'STAT generation 1 '.repeat(300_000)],
  ])('fails when stats gets %s', async (_, answer) => {
    const port = await listen(
      net.createServer((socket) => {
        socket.on('error', () => {});
        socket.end(answer);
      }),
    );
    await expect(readStatsStatus({ kind: 'tcp', host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'SERVER_FAILED',
    });
  });

  it.each([
    ['nothing', 200, ''],
    ['another page', 200, '<html>'],
    ['other JSON', 200, '{"server":{},"dataSets":[{}]}'],
    [
      'sets that are none',
      200,
      '{"server":{"version":"1","pid":1,"uptimeSeconds":1,"connections":1},"dataSets":[{"prefix":"","serving":{}}]}',
    ],
    ['a refusal', 403, '{"code":"FORBIDDEN"}'],
    ['no end', 200, ' '.repeat(5 * 1024 * 1024)],
  ])('fails when HTTP gets %s', async (_, status, answer) => {
    const server = http.createServer((_request, response) => {
      response.writeHead(status).end(answer);
    });
    const port = await listen(server);
    const attempt = readHttpStatus(new URL(`http://user:secret@127.0.0.1:${port}`));
    await expect(attempt).rejects.toMatchObject({ code: 'SERVER_FAILED' });
    await expect(attempt).rejects.not.toThrow(/secret/);
  });

  it('names the right address when something else than HTTP answers', async () => {
    const port = await listen(http.createServer(({ socket }) => void socket.destroy()));
    await expect(readHttpStatus(new URL(`http://127.0.0.1:${port}`))).rejects.toThrow(
      /socket hang up: expected the -http address of a server$/,
    );
  });

  it('fails when nobody is there', async () => {
    const run = new GoromdbProcess(['status', join(temporaryFolder(), 'none.sock')]);
    expect(await run.exit()).toBe(1);
    expect(run.stderr).toMatch(/^goromdb: no answer from unix:/);
  });
});

describe('goromdb publish -expect-all', () => {
  it('waits until all servers serve the file', async () => {
    const first = await HttpSubject.start();
    const second = await HttpSubject.start();
    const source = join(temporaryFolder(), 'new.json');
    writeFileSync(source, DATA);
    const urls = [first, second].map(urlOf).join(',');
    const run = new GoromdbProcess(['publish', source, first.file, '-expect-all', urls]);
    await run.says(/serving: generation 1/);
    expect(run.hasEnded).toBe(false);
    await load(second);
    expect(await run.exit(), run.stderr).toBe(0);
    expect(run.stdout).toMatch(/\nserving: on all of 2 servers of -expect-all\n$/);
  });

  it('says of each server that does not serve it what it does instead', async () => {
    const [good, other, empty] = [
      await HttpSubject.start(),
      await HttpSubject.start(),
      await HttpSubject.start(),
    ];
    await load(good);
    await load(other, '{"k":"2"}');
    const gone = await HttpSubject.start();
    await gone.goromdb.close();
    const steps: number[] = [];
    const lacks = await expectAll([good, other, empty, gone].map(urlOf), md5(DATA), {
      endMs: performance.now(),
      onWait: (serving) => void steps.push(serving),
    });
    expect(steps).toEqual([1]);
    expect(lacks).toEqual([
      `${urlOf(other).origin} serves md5 ${md5('{"k":"2"}')}`,
      `${urlOf(empty).origin} serves nothing`,
      expect.stringMatching(`^no answer from ${urlOf(gone).origin}: `),
    ]);
  });
});
