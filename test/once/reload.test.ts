import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { collectingLogger } from '../support/collecting-logger.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { LOOPBACK, secretFile, startWholeNode } from '../support/once-node.ts';
import { RawClient } from '../support/raw-client.ts';

const TOKENS = ['the-first-token-of-16', 'the-second-token-of-16'] as const;

function basic(login: string): string {
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

test('a node that reloads lets in who is in the new files, and stays as it was when one is wrong', async () => {
  const authFile = secretFile('ann:1\n');
  const tokenFile = secretFile(TOKENS[0]);
  const logger = collectingLogger();
  const { url: etcd } = await FakeEtcd.start();
  const files = { authFile, tokenFile, addr: LOOPBACK };
  const { url, addr, reload } = await startWholeNode([etcd], files, logger);
  const letsIn = async (authorization: string): Promise<boolean> =>
    (await fetch(`${url}/key/none`, { headers: { authorization } })).status === 404;
  const whoIsIn = () =>
    Promise.all(
      [basic('ann:1'), basic('bob:2'), ...TOKENS.map((one) => `Bearer ${one}`)].map(letsIn),
    );
  const login = async (text: string): Promise<string> => {
    const client = await RawClient.connect(addr!);
    client.socket.end(`set x 0 0 5\r\n${text}\r\n`);
    return client.readToEnd();
  };
  expect(await whoIsIn()).toEqual([true, false, true, false]);
  writeFileSync(authFile, 'bob:2\n');
  writeFileSync(tokenFile, 'short');
  await reload();
  expect(logger.lines.at(-1)).toMatch(
    /^error not reloaded: the token file .*what was in use stays/,
  );
  expect(await whoIsIn()).toEqual([true, false, true, false]);
  expect(await login('ann 1')).toBe('STORED\r\n');
  writeFileSync(tokenFile, TOKENS[1]);
  await reload();
  expect(await whoIsIn()).toEqual([false, true, false, true]);
  expect(await login('bob 2')).toBe('STORED\r\n');
});
