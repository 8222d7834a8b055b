import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/common/log.ts';
import { startWire } from '../../src/once/wire/listener.ts';
import { LOOPBACK, storeOnFake } from '../support/once-node.ts';
import { program, requirePackages, run, runProgram, unpacked } from './harness.ts';

/** Serves set-once keys. @returns The port. */
async function served(): Promise<string> {
  const { store } = await storeOnFake();
  const wire = await startWire({ address: LOOPBACK, access: {} }, store, silentLogger);
  onTestFinished(() => wire.close());
  return String(wire.address.kind === 'tcp' ? wire.address.port : 0);
}

const ONCE = { add: true, 'add again': false, 'set equal': true, 'set new': true };

test.each([
  ['pymemcache', 'python3-pymemcache'],
  ['pylibmc text', 'python3-pylibmc'],
  ['pylibmc binary', 'python3-pylibmc'],
  ['python-memcache', 'python3-memcache'],
])('%s creates keys once, and reads them', async (client, packageName) => {
  requirePackages('python3', packageName);
  const args = ['-B', program('use-once.py'), await served(), client];
  expect(await runProgram('/usr/bin/python3', args)).toEqual({
    ...{ ...ONCE, 'set other': false, get: 'x', 'get none': null, read: 'x' },
    'get many': { a: 'x', b: 'z' },
  });
});

test('redis-py creates keys once, and reads them', async () => {
  requirePackages('python3');
  const env = { PYTHONPATH: unpacked('lib/python3/dist-packages') };
  const args = ['-B', program('use-once.py'), await served(), 'redis'];
  const { stdout } = await run('/usr/bin/python3', args, { env });
  expect(JSON.parse(stdout)).toEqual({
    ...{ ...ONCE, get: 'x', 'get none': null, 'get many': ['x', null, 'z'], read: [1, 1] },
    'set other': expect.stringMatching(/^ResponseError: CONFLICT /),
  });
});

test('redis-cli creates keys once, and reads them', async () => {
  requirePackages('redis-tools');
  const input = 'SET a x NX\nSET a x NX\nSET a x\nSET a y\nGET a\nMGET a none\nSTRLEN a\nDEL a\n';
  const { stdout } = await run('redis-cli', ['-p', await served()], { input });
  expect(stdout.split('\n').filter((line) => line !== '')).toEqual([
    ...['OK', 'OK', expect.stringMatching(/^CONFLICT /), 'x', 'x', '1'],
    expect.stringMatching(/^READONLY /),
  ]);
});
