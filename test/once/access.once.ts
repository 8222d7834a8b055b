import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect.ts';
import type { EtcdOptions } from '../../src/etcd/gateway.ts';
import type { Overview } from '../../src/once/overview.ts';
import { endProcess, startTrialCluster } from '../../src/once/trial/trial.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { temporaryFolder } from '../support/folder.ts';
import { serveHttp, startWholeNode, storeOnFake } from '../support/once-node.ts';

const KEY = Buffer.from('k');

function clientOf(options: EtcdOptions) {
  const etcd = connectEtcd(options);
  onTestFinished(() => etcd.close());
  return etcd;
}

/** A certificate for loopback that no authority knows. @returns Paths of it, and of its key. */
function makeCertificate(folder: string): readonly [cert: string, key: string] {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const rest = ['-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...rest], { stdio: 'ignore' });
  return [cert, key];
}

test('an etcd with logins lets in whoever has the password, and again when its token is over', async () => {
  const cluster = await startTrialCluster(temporaryFolder(), 1, ['--auth-token-ttl', '1']);
  onTestFinished(() => cluster.close());
  const { endpoints } = cluster;
  const ask = async (path: string, body: object): Promise<void> => {
    const init = { method: 'POST', body: JSON.stringify(body) };
    expect((await fetch(`${endpoints[0]}/v3/auth/${path}`, init)).status).toBe(200);
  };
  await ask('user/add', { name: 'root', password: 'secret' });
  await ask('user/grant', { user: 'root', role: 'root' });
  await ask('enable', {});

  const login = { user: 'root', password: 'secret' };
  const etcd = clientOf({ endpoints, login });
  expect(await etcd.put(KEY, KEY)).toMatchObject({ kind: 'done' });
  // Whoever has no token, or a wrong password, is refused: that is no unknown outcome.
  expect(await clientOf({ endpoints }).put(KEY, KEY)).toMatchObject({ kind: 'not-done' });
  const wrong = clientOf({ endpoints, login: { ...login, password: 'wrong' } });
  expect(await wrong.range({ key: KEY })).toMatchObject({ kind: 'not-done', reason: 'forbidden' });
  // etcd forgets a token that was not used for a second.
  await delay(2_500);
  expect(await etcd.range({ key: KEY })).toMatchObject({ kind: 'done' });
});

test('an etcd with TLS is asked when its authority is known, and not otherwise', async () => {
  const folder = temporaryFolder();
  const [cert, key] = makeCertificate(folder);
  // Ports that a cluster of its own has had.
  const before = await startTrialCluster(join(folder, 'before'), 1);
  const url = before.endpoints[0].replace('http:', 'https:');
  await before.close();
  const etcd = spawn(
    'etcd',
    [
      ...['--data-dir', join(folder, 'data'), '--cert-file', cert, '--key-file', key],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', 'http://127.0.0.1:0', '--logger', 'zap', '--log-level', 'error'],
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(() => endProcess(etcd));
  const known = clientOf({ endpoints: [url], tls: { ca: readFileSync(cert) } });
  await expect.poll(() => known.put(KEY, KEY)).toMatchObject({ kind: 'done' });
  expect(await clientOf({ endpoints: [url] }).put(KEY, KEY)).toMatchObject({
    kind: 'not-done',
    reason: 'unreachable',
  });
});

test('nodes that share a certificate ask each other, also where clients need one; HTTP/1.0 is enough', async () => {
  const folder = temporaryFolder();
  const [certFile, keyFile] = makeCertificate(folder);
  const { url: etcd } = await FakeEtcd.start();
  const tls = { certFile, keyFile };
  const { url } = await startWholeNode([etcd], { tls });
  await startWholeNode([etcd], { tls: { ...tls, clientCaFile: certFile } });
  const ca = readFileSync(certFile);
  const overview = async (): Promise<Overview> => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const path = `${url.replace('http:', 'https:')}/api/overview`;
      https.get(path, { ca, agent: false }, resolve).on('error', reject);
    });
    const pieces: Buffer[] = [];
    for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
    return JSON.parse(Buffer.concat(pieces).toString()) as Overview;
  };
  const path = `${url.replace('http:', 'https:')}/healthz`;
  const old = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { ca, agent: false, ALPNProtocols: ['http/1.0'] };
    https.get(path, options, resolve).on('error', reject);
  });
  expect(old.resume().statusCode).toBe(200);
  const answering = async () => (await overview()).nodes.map(({ figures }) => figures?.gets);
  await expect.poll(answering).toEqual([0, 0]);
});

test('a node that reloads shows its new certificate to connections to come', async () => {
  const folder = temporaryFolder();
  const [certFile, keyFile] = makeCertificate(folder);
  const { url: etcd } = await FakeEtcd.start();
  const { url, reload } = await startWholeNode([etcd], { tls: { certFile, keyFile } });
  const path = `${url.replace('http:', 'https:')}/healthz`;
  const statusWith = (ca: Buffer): Promise<unknown> =>
    new Promise((resolve) => {
      const take = (response: IncomingMessage): void => resolve(response.resume().statusCode);
      https.get(path, { ca, agent: false }, take).on('error', resolve);
    });
  const before = readFileSync(certFile);
  expect(await statusWith(before)).toBe(200);
  makeCertificate(folder);
  await reload();
  expect(await statusWith(readFileSync(certFile))).toBe(200);
  expect(await statusWith(before)).toBeInstanceOf(Error);
});

/** Serves an empty store by TLS. */
async function servedByTls(handshakeMsMax: number) {
  const [certFile, keyFile] = makeCertificate(temporaryFolder());
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
  const { store } = await storeOnFake();
  const url = await serveHttp(store, { tls: { cert, key }, handshakeMsMax });
  let closed = 0;
  return {
    closed: () => closed,
    /** Connects, and says nothing. */
    begin: (): Promise<net.Socket> =>
      new Promise((resolve) => {
        const socket = net.connect(Number(new URL(url).port), '127.0.0.1', () => resolve(socket));
        onTestFinished(() => void socket.destroy());
        socket.on('error', () => {}).on('close', () => closed++);
      }),
    status: (): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const take = (response: IncomingMessage): void => resolve(response.resume().statusCode);
        const path = `${url.replace('http:', 'https:')}/key/none`;
        https.get(path, { ca: cert, agent: false }, take).on('error', reject);
      }),
  };
}

test('whoever begins more handshakes than may be open is cut off, and locks nobody out', async () => {
  const { begin, closed, status } = await servedByTls(600_000);
  for (let i = 0; i < 1_100; i++) await begin();
  await expect.poll(closed, { interval: 1 }).toBe(1_100 - 1_024);
  expect(await status()).toBe(404);
  // Its handshake took the place of one more, for a moment.
  await expect.poll(closed).toBe(1_100 - 1_024 + 1);
});

test.each([
  ['ends no handshake', ''],
  ['ends half of one', '\x16\x03\x01\x02\x00\x01'],
  ['speaks no TLS', 'GET /key/none HTTP/1.1\r\n\r\n'],
])('whoever %s is cut off', async (_, input) => {
  const { begin, closed } = await servedByTls(300);
  (await begin()).end(input, 'latin1');
  (await begin()).write(input, 'latin1');
  await expect.poll(closed).toBe(2);
});
