import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseAddress } from '../../src/common/address.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { waitFor } from '../support/patience.ts';
import { HttpSubject, TOKEN } from './http-subject.ts';

function tokenFile(content = `${TOKEN}\n`): string {
  const path = join(temporaryFolder(), 'token');
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

async function serving(options = {}, others = {}): Promise<HttpSubject> {
  const subject = await HttpSubject.start(options, others);
  drop(subject.file, '{"k":"1"}');
  await expect.poll(() => subject.goromdb.status().dataSets[0].serving?.generation).toBe(1);
  return subject;
}

function generation({ goromdb }: HttpSubject): number | undefined {
  return goromdb.status().dataSets[0].serving?.generation;
}

describe('health and readiness', () => {
  it('is healthy before there is data, and ready only with it', async () => {
    const subject = await HttpSubject.start();
    expect(await subject.ask('/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    const { status, text } = await subject.ask('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(text)).toEqual({
      ready: false,
      lacks: [{ code: 'NO_DATA', dataSet: '', text: 'nothing serves' }],
    });
    drop(subject.file, '{"k":"1"}');
    await expect.poll(async () => (await subject.ask('/readyz')).status).toBe(200);
  });

  it('asks for the age and for the MD5 of what serves', async () => {
    const subject = await serving();
    const md5sum = md5('{"k":"1"}');
    expect(await subject.ask(`/readyz?fresh=26h&md5=${md5sum.toUpperCase()}`)).toMatchObject({
      status: 200,
      text: '{"ready":true,"lacks":[]}\n',
    });
    const old = await subject.ask(`/readyz?md5=${md5('other')}&fresh=1ms`);
    expect(old.status).toBe(503);
    expect(JSON.parse(old.text).lacks.map(({ code }: { code: string }) => code)).toEqual([
      'TOO_OLD',
      'OTHER_DATA',
    ]);
  });

  it.each(['fresh=26', 'fresh=0', 'fresh=', 'md5=12', 'md5='])('refuses %s', async (query) => {
    const subject = await HttpSubject.start();
    const { status, text } = await subject.ask(`/readyz?${query}`);
    expect(status).toBe(400);
    expect(JSON.parse(text).code).toBe('OPTION_INVALID');
  });
});

describe('status, metrics and events', () => {
  it('shows the status that the library returns', async () => {
    const subject = await serving();
    const { status, headers, text } = await subject.ask('/api/status');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    // A load is counted a moment after its data serves.
    await waitFor(async () => {
      const { dataSets } = JSON.parse((await subject.ask('/api/status')).text);
      expect(dataSets).toEqual(JSON.parse(JSON.stringify(subject.goromdb.status().dataSets)));
    });
    expect(JSON.parse(text).dataSets).toHaveLength(1);
  });

  it('shows the metrics of the server and of each data set', async () => {
    const subject = await serving();
    const { headers, text } = await subject.ask('/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const sum = md5('{"k":"1"}');
    expect(text).toContain('# TYPE goromdb_get_hits_total counter\ngoromdb_get_hits_total 0\n');
    expect(text).toContain('goromdb_data_set_keys{data_set=""} 1\n');
    expect(text).toContain(`goromdb_data_set_info{data_set="",md5="${sum}",format="json"} 1\n`);
    expect(text).toMatch(/^goromdb_event_loop_delay_max_seconds\{thread="main"\} \d/m);
    expect(text).toMatch(/^goromdb_resident_kind_bytes\{kind="anonymous"\} [1-9]/m);
    expect(text).toMatch(/^goromdb_data_set_disk_free_bytes\{data_set=""\} [1-9]/m);
  });

  it('sends events as they come, and those that were missed to a client that comes again', async () => {
    const subject = await serving();
    const first = await subscribe(subject);
    drop(subject.file, '{"k":"2"}');
    const text = await readUntil(first, /event: folder\ndata: .*"kind":"serving".*\n\n$/);
    expect(text).toMatch(/^: goromdb\n\nid: \d+-\d+\nevent: folder\ndata: /);
    first.destroy();
    const [, id] = /id: (\d+-\d+)\n/.exec(text)!;
    drop(subject.file, 'broken');
    await expect.poll(() => subject.goromdb.status().dataSets[0].counters.loads_rejected).toBe(1);
    const again = await subscribe(subject, { 'last-event-id': id });
    const missed = await readUntil(again, /"kind":"rejected".*\n\n$/);
    expect(missed).not.toContain(`id: ${id}\n`);
    // One of another process has seen none of ours.
    const stranger = await subscribe(subject, { 'last-event-id': '1-1' });
    expect(await readUntil(stranger, /"kind":"rejected".*\n\n$/)).toContain(`id: ${id}\n`);
  });

  it('lets in a bounded number of event clients', async () => {
    const subject = await HttpSubject.start();
    const clients: IncomingMessage[] = [];
    for (let i = 0; i < 16; i++) clients.push(await subscribe(subject));
    expect((await subject.ask('/api/events')).status).toBe(503);
    clients[0].destroy();
    await expect
      .poll(async () => {
        const request = subject.request('/api/events').end();
        onTestFinished(() => void request.destroy());
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        response.on('error', () => {}).resume();
        return response.statusCode;
      })
      .toBe(200);
  });
});

describe('actions', () => {
  it('are refused without a token file, without a token and with another one', async () => {
    const without = await serving();
    expect((await without.post('/api/rollback', TOKEN)).status).toBe(403);
    const subject = await serving({ tokenFile: tokenFile() });
    for (const token of [undefined, `${TOKEN}x`, TOKEN.slice(1)]) {
      const { status, headers } = await subject.post('/api/rescan', token);
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toBe('Bearer');
    }
    const wrong = subject.logger.lines.filter((line) => line.includes('without the right token'));
    expect(wrong).toHaveLength(1);
    expect((await subject.ask('/api/rollback')).status).toBe(405);
    expect((await subject.ask('/api/status', { method: 'POST' })).status).toBe(405);
  });

  it('roll back, rescan and scrub with the token, and the log says who asked', async () => {
    const subject = await serving({ tokenFile: tokenFile() });
    const { logger } = subject;
    const refused = await subject.post('/api/rollback', TOKEN);
    expect(refused.status).toBe(409);
    expect(JSON.parse(refused.text).code).toBe('ROLLBACK_REFUSED');
    drop(subject.file, '{"k":"2"}');
    await expect.poll(() => generation(subject)).toBe(2);
    const done = await subject.post('/api/rollback', TOKEN);
    expect(done.status).toBe(200);
    expect(JSON.parse(done.text).result.record).toMatchObject({ generation: 3, restores: 1 });
    expect(generation(subject)).toBe(3);
    expect((await subject.post('/api/rescan', TOKEN)).status).toBe(202);
    expect((await subject.post('/api/rescan?data_set=none', TOKEN)).status).toBe(400);
    const audit = logger.lines.filter((line) => line.includes('HTTP /api/'));
    expect(audit.map((line) => line.replace(/: [^:{]*\{.*|: done/, ''))).toEqual([
      'warn HTTP /api/rollback of data set "" from 127.0.0.1',
      'info HTTP /api/rollback of data set "" from 127.0.0.1',
      'info HTTP /api/rescan of data set "" from 127.0.0.1',
      'warn HTTP /api/rescan of data set "none" from 127.0.0.1',
    ]);
    const { event, dataSet, command } = logger.fields.at(-1)!;
    expect([event, dataSet, command]).toEqual(['http-action', 'none', '/api/rescan']);
  });

  it('begin a pass of the scrub that would begin in an hour', async () => {
    const scrub = { bytesPerSecond: 1024 * 1024 * 1024, passPauseMs: 3_600_000 };
    const subject = await serving({ tokenFile: tokenFile() }, { scrub });
    const passes = () => subject.goromdb.status().dataSets[0].counters.scrub_passes;
    for (const count of [1, 2]) {
      await expect
        .poll(async () => {
          expect((await subject.post('/api/scrub', TOKEN)).status).toBe(202);
          return passes();
        })
        .toBeGreaterThanOrEqual(count);
    }
    const off = await serving({ tokenFile: tokenFile() }, { scrub: { bytesPerSecond: 0 } });
    expect((await off.post('/api/scrub', TOKEN)).status).toBe(400);
  });

  it('take the token that a reload has read', async () => {
    const path = tokenFile();
    const subject = await serving({ tokenFile: path });
    const next = 'another-token-of-today';
    writeFileSync(path, next);
    await subject.goromdb.reload();
    await expect.poll(async () => (await subject.post('/api/rescan', next)).status).toBe(202);
    expect((await subject.post('/api/rescan', TOKEN)).status).toBe(401);
  });

  it.each(['', 'short', 'a token with some spaces', 'x'.repeat(1025)])(
    'need a token file with one good token: %j is none',
    async (content) => {
      const starting = HttpSubject.start({ tokenFile: tokenFile(content) });
      await expect(starting).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    },
  );
});

describe('an address', () => {
  it('may be a UNIX socket, which is gone when the server is', async () => {
    const path = join(temporaryFolder(), 'http.sock');
    const subject = await HttpSubject.start({ address: parseAddress(path) });
    expect((await subject.ask('/healthz')).status).toBe(200);
    await subject.goromdb.close();
    await expect(subject.ask('/healthz')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('in use is an error before anything is loaded', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const starting = HttpSubject.start({ address: parseAddress(`127.0.0.1:${port}`) });
    await expect(starting).rejects.toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
      message: expect.stringMatching(/with -http$/),
    });
  });

  it('must not be that of the data', async () => {
    const address = parseAddress('127.0.0.1:11211');
    const starting = HttpSubject.start({ address }, { address });
    await expect(starting).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('is closed with the server, although a client listens to events', async () => {
    const subject = await HttpSubject.start();
    const events = await subscribe(subject);
    const isOver = once(events.resume(), 'close');
    await subject.goromdb.close();
    await isOver;
    await expect(subject.ask('/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

async function subscribe(
  subject: HttpSubject,
  headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  const request = subject.request('/api/events', { headers }).on('error', () => {});
  onTestFinished(() => void request.destroy());
  const [response] = (await once(request.end(), 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  return response.on('error', () => {});
}

async function readUntil(response: IncomingMessage, end: RegExp): Promise<string> {
  let text = '';
  for (;;) {
    const piece = response.read() as Buffer | null;
    text += piece ?? '';
    if (end.test(text)) return text;
    if (piece === null) await once(response, 'readable');
  }
}
