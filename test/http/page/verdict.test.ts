import { describe, expect, it } from 'vitest';
import type { Status } from '../../../src/common/status.ts';
import { samplesOf } from '../../../src/http/page/samples.ts';
import { findingsOf, type Lack, verdictOf } from '../../../src/http/page/verdict.ts';
import { emptySet, NOW_MS, statusOf, thread, troubledSet, wellSet } from '../../browser/made-up.ts';

function judged(status: Status, lacks: readonly Lack[] = [], metrics = '') {
  const findings = findingsOf(status, lacks, samplesOf(metrics));
  return { ...verdictOf(status, findings), findings: findings.map(({ text }) => text) };
}

describe('the first glance', () => {
  it('says that all is well', () => {
    expect(judged(statusOf([wellSet('geo'), wellSet('users')]))).toMatchObject({
      ...{ level: 'ok', title: '2 data sets serve', findings: [] },
    });
    expect(judged(statusOf([wellSet('')])).detail).toMatch(
      /^Installed .*, 2 h 12 min ago; 1,204,376 keys\.$/,
    );
  });

  it('says that nothing serves, and why', () => {
    const fault = 'no slot can be used';
    expect(judged(statusOf([{ ...emptySet(''), fault }]))).toMatchObject({
      ...{ level: 'bad', title: 'Nothing serves', findings: [`Serves nothing: ${fault}`] },
    });
  });

  it('puts what hurts clients before what somebody should look at', () => {
    const status = statusOf([troubledSet('a'), emptySet('b'), wellSet('c')]);
    const { level, title, findings } = judged(status);
    expect({ level, title }).toEqual({ level: 'bad', title: '1 of 3 data sets serves nothing' });
    expect(findings).toEqual([
      'Serves nothing: nothing was dropped yet; it waits for /srv/drop/b.db and its MD5',
      expect.stringMatching(/^Rejected .*a\.db: expected/),
      expect.stringMatching(/^A drop waits for 6 min: /),
    ]);
  });

  it('says nothing of a drop whose sum is on its way', () => {
    const waiting = { code: 'SUM_MISSING', text: 'waits', sinceMs: NOW_MS - 2_000 };
    expect(judged(statusOf([wellSet('', { waiting })])).level).toBe('ok');
  });

  it('names data that is too old for whoever asks, threads, connections, disk and certificate', () => {
    const server = {
      connections: 9_500,
      threads: [thread(1, 2)],
      certificateExpiresAt: '2026-12-01T15:20:00Z',
    };
    const metrics = 'goromdb_data_set_disk_free_bytes{data_set=""} 300000000\n';
    const lacks = [{ code: 'TOO_OLD', dataSet: '', text: 'installed 9 s ago' }];
    expect(judged(statusOf([wellSet('')], server), lacks, metrics).findings).toEqual([
      'Not fresh: installed 9 s ago',
      'The disk has 300 MB free: a load of this size may not fit',
      '9,500 of at most 10,000 connections are open',
      'The TLS certificate expires in 3 d',
      'Serving threads died and were replaced: 2 times',
    ]);
  });
});
