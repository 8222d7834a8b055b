import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';

/** Lines of the log, each of which must be an object by itself. */
function entries({ stderr }: GoromdbProcess): readonly Record<string, unknown>[] {
  return stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test('with -log-format json each line is an object, whatever files are called and clients send', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'a\n{"level":"info","event":"forged"}\r\x1b[2J\u202e.json');
  const basedir = join(folder, 'base');
  const server = new GoromdbProcess([
    ...['-addr', '127.0.0.1:0', '-file', file, '-basedir', basedir],
    ...['-log-format', 'json', '-log-slow', '1ms'],
  ]);
  const [, port] = await server.says(/listens on 127\.0\.0\.1:(\d+)/);
  drop(file, `{"k":"1"}`);
  await server.says(/"event":"generation-serving"/);
  drop(file, 'broken\n{"event":"forged"}');
  await server.says(/"event":"drop-rejected"/);
  const client = await RawClient.connect({ kind: 'tcp', host: '127.0.0.1', port: Number(port) });
  await client.ask('set k\u202e 0 0 1\r\n1\r\n', 'NOT_STORED\r\n');
  await server.says(/"event":"write-refused"/);
  await client.ask(`get${' secret'.repeat(50_000)}\r\n`, 'END\r\n');
  await server.says(/"event":"request-slow"/);
  await server.kill('SIGTERM');
  const all = entries(server);
  const found = (event: string): unknown => all.find((entry) => entry.event === event);
  expect(found('forged')).toBeUndefined();
  expect(found('server-listening')).toMatchObject({ level: 'info' });
  expect(found('generation-serving')).toMatchObject({ generation: 1 });
  expect(found('drop-rejected')).toMatchObject({ level: 'error', code: 'FORMAT_UNKNOWN' });
  const write = { level: 'warn', client: '127.0.0.1', command: 'set' };
  expect(found('write-refused')).toMatchObject(write);
  const slow = { level: 'warn', client: '127.0.0.1', protocol: 'text', thread: 0 };
  expect(found('request-slow')).toMatchObject({ ...slow, seconds: expect.any(Number) });
  expect(server.stderr).not.toContain('secret');
  expect(all.every(({ time, event, message }) => time && event && message)).toBe(true);
});

test('with -log-level error nothing is said of what goes well', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  const place = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', join(folder, 'base')];
  const server = new GoromdbProcess([...place, '-log-level', 'error']);
  drop(file, 'broken');
  await server.says(/ error rejected /);
  await server.kill('SIGTERM');
  expect(server.stderr.trimEnd().split('\n')).toHaveLength(1);
});
