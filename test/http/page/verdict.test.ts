import { describe, expect, it } from 'vitest';
import { findingsOf, verdictOf } from '../../../src/http/page/verdict.ts';
import { emptySet, NOW_MS, statusOf, thread, troubledSet, wellSet } from '../../browser/made-up.ts';

function judged(
  ...[status, lacks = []]: Parameters<typeof findingsOf> | [ReturnType<typeof statusOf>]
) {
  const findings = findingsOf(status, lacks);
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
      'Serves nothing: no data was dropped yet',
      expect.stringMatching(/^Rejected .*a\.db: expected/),
      expect.stringMatching(/^A drop waits for 6 min: /),
    ]);
  });

  it('says nothing of a drop whose sum is on its way', () => {
    const waiting = { code: 'SUM_MISSING', text: 'waits', sinceMs: NOW_MS - 2_000 };
    expect(judged(statusOf([wellSet('', { waiting })])).level).toBe('ok');
  });

  it('names data that is too old for whoever asks, threads that died, and connections', () => {
    const server = { connections: 9_500, threads: [thread(1, 2)] };
    const lacks = [{ code: 'TOO_OLD', dataSet: '', text: 'installed 9 s ago' }];
    expect(judged(statusOf([wellSet('')], server), lacks).findings).toEqual([
      'Not fresh: installed 9 s ago',
      '9,500 of at most 10,000 connections are open',
      'Serving threads died and were replaced: 2 times',
    ]);
  });
});
