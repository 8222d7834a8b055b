/** Prometheus' own tool reads what we show, and what we have written for it. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { exposition } from '../../src/http/prometheus.ts';
import { statusSamples } from '../../src/http/status-samples.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { FULL_STATUS } from '../support/full-status.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { requirePackages, run } from './harness.ts';

const RULES = fileURLToPath(new URL('../../deploy/prometheus/goromdb.rules.yml', import.meta.url));

it('promtool finds nothing to say of the metrics, with data and without', async () => {
  requirePackages('prometheus');
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  const place = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', join(folder, 'base')];
  const server = new GoromdbProcess([...place, '-http', '127.0.0.1:0']);
  const [, where] = await server.says(/answers HTTP on (\S+)/);
  await server.address();
  for (const generation of [0, 1]) {
    if (generation === 1) {
      drop(file, '{"k":"1"}');
      await server.says(/generation 1 serves/);
    }
    const text = await (await fetch(`http://${where}/metrics`)).text();
    expect(text).toContain(`goromdb_data_set_generation{data_set=""} ${generation}\n`);
    const found = await run('promtool', ['check', 'metrics'], { input: text });
    expect(found).toEqual({ stdout: '', stderr: '', code: 0 });
  }
});

it('promtool finds nothing to say of metrics of what is rare', async () => {
  requirePackages('prometheus');
  const { loopDelay } = FULL_STATUS.server.threads[0];
  const input = exposition(statusSamples(FULL_STATUS, loopDelay));
  const found = await run('promtool', ['check', 'metrics'], { input });
  expect(found).toEqual({ stdout: '', stderr: '', code: 0 });
});

it('the alert rules are right, fire when they should, and ask for metrics that there are', async () => {
  requirePackages('prometheus');
  const check = await run('promtool', ['check', 'rules', '--lint-fatal', RULES]);
  expect(check).toMatchObject({ code: 0, stderr: '' });
  const tests = join(dirname(RULES), 'goromdb.rules.test.yml');
  expect(await run('promtool', ['test', 'rules', tests])).toMatchObject({ code: 0 });
});
