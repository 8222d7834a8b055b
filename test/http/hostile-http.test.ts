import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { HttpSubject, TOKEN } from './http-subject.ts';

const LOCAL = 'Host: localhost\r\nConnection: close\r\n';

describe('Host and Origin', () => {
  it.each(['localhost:1', '127.0.0.1', '10.1.2.3:11280', '[::1]:9', 'LOCALHOST', 'ops.example'])(
    'a request to %s is answered',
    async (host) => {
      const subject = await HttpSubject.start({ hosts: ['ops.example'] });
      const headers = { host, origin: `http://${host}` };
      expect((await subject.ask('/api/status', { headers })).status).toBe(200);
    },
  );

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'a b',
    '127.0.0.1@evil',
  ])('a request to %j is refused, as of a name that was made to lead here', async (host) => {
    const subject = await HttpSubject.start({ hosts: ['ops.example'] });
    expect((await subject.ask('/api/status', { headers: { host } })).status).toBe(403);
  });

  it.each(['http://evil.example', 'null', 'http://localhost:2', 'localhost:1', ''])(
    'a request from a page of %j is refused',
    async (origin) => {
      const subject = await HttpSubject.start();
      const headers = { host: 'localhost:1', origin };
      expect((await subject.ask('/api/status', { headers })).status).toBe(403);
    },
  );
});

describe('a client', () => {
  it.each([
    ['without a Host', 400, 'GET / HTTP/1.1\r\n\r\n'],
    ['with an empty Host', 403, `GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n`],
    ['that speaks no HTTP', 400, 'get k\r\n\r\n'],
    ['with long headers', 431, `GET / HTTP/1.1\r\n${LOCAL}X: ${'x'.repeat(9000)}\r\n\r\n`],
    ['with a strange path', 404, `GET /%2e%2e/a?fresh=%% HTTP/1.1\r\n${LOCAL}\r\n`],
    ['with a path that is no URL', 400, `GET http://[ HTTP/1.1\r\n${LOCAL}\r\n`],
    ['with a method that nobody knows', 400, `BREW /metrics HTTP/1.1\r\n${LOCAL}\r\n`],
    ['with a method that is not for the path', 405, `DELETE /metrics HTTP/1.1\r\n${LOCAL}\r\n`],
    [
      'that does not send its body',
      200,
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx',
    ],
    [
      'with two lengths',
      400,
      `POST /healthz HTTP/1.1\r\n${LOCAL}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
  ])('%s is answered %i, once, and cut off', async (_, status, request) => {
    const subject = await HttpSubject.start();
    const client = await RawClient.connect(subject.http);
    client.socket.write(request);
    const text = await client.readToEnd();
    expect(text.match(/^HTTP\/1\.1 (\d+)/)?.[1]).toBe(String(status));
    expect(text.split('HTTP/1.1 ')).toHaveLength(2);
  });

  it('that sends many requests at once is disconnected, and waits for nobody', async () => {
    const subject = await HttpSubject.start();
    const request = 'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const few = await RawClient.connect(subject.http);
    let read = '';
    few.socket.on('data', (text: string) => {
      read += text;
    });
    few.socket.write(request.repeat(8));
    await expect.poll(() => read.split('{"ready"')).toHaveLength(9);
    const many = await RawClient.connect(subject.http);
    many.socket.write(request.repeat(1_000));
    expect((await many.readToEnd()).split('{"ready"').length).toBeLessThanOrEqual(9);
    expect(await few.ask(request, '}\n')).toContain('"ready"');
  });

  it('that sends a body is answered, and so is one that sends too much', async () => {
    const tokenFile = join(temporaryFolder(), 'token');
    writeFileSync(tokenFile, TOKEN);
    const subject = await HttpSubject.start({ tokenFile });
    const headers = { authorization: `Bearer ${TOKEN}` };
    const post = async (bytes: number): Promise<number> => {
      const body = 'x'.repeat(bytes);
      return (await subject.ask('/api/rescan', { method: 'POST', headers, body })).status;
    };
    expect([await post(4 * 1024), await post(4 * 1024 + 1)]).toEqual([202, 413]);
  });

  it('that takes all connections keeps out no probe, and no client of the data', async () => {
    const subject = await HttpSubject.start();
    const many: RawClient[] = [];
    for (let i = 0; i < 64; i++) many.push(await RawClient.connect(subject.http));
    const [asked, idle, ...others] = many;
    await asked.ask('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', 'ok\n');
    expect((await subject.ask('/healthz')).status).toBe(200);
    // It has been idle longest, and gives way.
    expect(await idle.readToEnd()).toBe('');
    expect([asked, ...others].every(({ socket }) => !socket.destroyed)).toBe(true);
    const data = await RawClient.connect(subject.goromdb.address);
    expect(await data.ask('get k\r\n')).toBe('END\r\n');
  });

  it('that asks too much gets an error, and probes are answered still', async () => {
    const subject = await HttpSubject.start();
    const clients: RawClient[] = [];
    for (let i = 0; i < 40; i++) clients.push(await RawClient.connect(subject.http));
    const requests = 'GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(7);
    const probe = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const probes: number[] = [];
    await expect
      .poll(async () => {
        const answers = clients.map((client) => client.ask(`${requests}${probe}`, 'ok\n'));
        probes.push((await subject.ask('/readyz')).status);
        return (await Promise.all(answers)).join('').includes('HTTP/1.1 429 ');
      })
      .toBe(true);
    expect(probes).not.toContain(429);
  });
});
