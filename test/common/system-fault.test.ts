import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { GoromdbError } from '../../src/common/errors.ts';
import { explained } from '../../src/common/system-fault.ts';

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('what the system refuses', () => {
  test('is reported with its meaning, what to do, and where', () => {
    const error = thrownBy(() => readFileSync('/none/file'));
    expect(explained(error, '/elsewhere')).toMatchObject({
      code: 'FOLDER_UNUSABLE',
      message: 'it does not exist: create it, or correct the path (ENOENT: open /none/file)',
      cause: error,
    });
  });

  test.runIf(process.platform === 'linux')('names a place although the system does not', () => {
    const error = thrownBy(() => writeFileSync('/dev/full', 'x'));
    expect(explained(error, '/srv/base')).toMatchObject({
      code: 'DISK_FULL',
      message: 'no space is left: make room on that disk (ENOSPC: write /srv/base)',
    });
  });

  test('is reported also of a connection', async () => {
    const error = await new Promise((resolve) =>
      connect({ port: 1, host: '127.0.0.1' }).once('error', resolve),
    );
    expect(explained(error, '127.0.0.1:1')).toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
      message: expect.stringMatching(/^nothing listens there: .* \(ECONNREFUSED: connect /),
    });
  });

  test('is reported of a UNIX socket by its path, which nobody creates but a server', async () => {
    const path = '/none/a.sock';
    const error = await new Promise((resolve) => connect({ path }).once('error', resolve));
    expect(explained(error, 'a file')).toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
      message: expect.stringMatching(
        /^nothing listens there: .* \(ENOENT: connect \/none\/a.sock\)$/,
      ),
    });
  });

  test('is left as it is where it is no such error', () => {
    const unknown = Object.assign(new Error('E'), { code: 'EXDEV', syscall: 'rename' });
    const own = new GoromdbError('DISK_FULL', 'told');
    for (const error of [unknown, own, new TypeError('a fault'), 'text']) {
      expect(explained(error, '/srv')).toBe(error);
    }
  });
});
