/** A Prometheus scrapes a server, answers the queries of the dashboard, and evaluates the alerts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-ports.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { TextClient } from '../support/text-client.ts';
import { ROOT } from './program.ts';

/** What has not happened to the server of this test has no samples. */
const MAY_BE_EMPTY = /refused_writes|connections_cut/;

interface Target {
  readonly expr: string;
}

function queries(): readonly string[] {
  const text = readFileSync(join(ROOT, 'deploy/grafana/goromdb.json'), 'utf8');
  const { panels } = JSON.parse(text) as { panels: readonly { targets?: readonly Target[] }[] };
  return panels
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) =>
      expr.replaceAll(/\$(?:job|instance)/g, '.*').replaceAll('$__rate_interval', '10s'),
    );
}

/** Starts one that scrapes a server each second. @returns Its URL. */
async function startPrometheus(target: string): Promise<string> {
  const folder = temporaryFolder();
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    scrape_configs: [{ job_name: 'goromdb', static_configs: [{ targets: [target] }] }],
    rule_files: [join(ROOT, 'deploy/prometheus/goromdb.rules.yml')],
  };
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, JSON.stringify(config));
  const where = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    'prometheus',
    [
      ...[`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`],
      ...[`--web.listen-address=${where}`, '--log.level=error'],
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null) await once(child, 'close');
  });
  const isReady = (): Promise<boolean> =>
    fetch(`http://${where}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await expect.poll(isReady).toBe(true);
  return `http://${where}`;
}

async function ask(url: string, query: string): Promise<{ status: string; results: number }> {
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { status, data } = (await response.json()) as {
    readonly status: string;
    readonly data?: { readonly result: readonly unknown[] };
  };
  return { status, results: data?.result.length ?? 0 };
}

it('each panel of the dashboard shows something, and no alert of a sound server fires', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  const place = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', join(folder, 'base')];
  const server = new GoromdbProcess([...place, '-http', '127.0.0.1:0']);
  const [, where] = await server.says(/answers HTTP on (\S+)/);
  const client = await TextClient.connect(await server.address());
  drop(file, '{"k":"1"}');
  await server.says(/generation 1 serves/);
  const url = await startPrometheus(where);
  let isOver = false;
  const traffic = (async () => {
    while (!isOver) {
      await client.get(['k', 'miss']);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    client.close();
  })();
  for (const query of queries()) {
    const answered = { status: 'success', results: expect.any(Number) };
    expect(await ask(url, query), query).toEqual(answered);
    if (MAY_BE_EMPTY.test(query)) continue;
    await expect
      .poll(async () => (await ask(url, query)).results, { message: query })
      .toBeGreaterThan(0);
  }
  isOver = true;
  await traffic;
  const response = await fetch(`${url}/api/v1/rules`);
  const { data } = (await response.json()) as {
    readonly data: { readonly groups: readonly { readonly rules: readonly object[] }[] };
  };
  const rules = data.groups.flatMap(({ rules: some }) => some);
  expect(rules.length).toBeGreaterThan(5);
  // A machine that is late for a moment makes one pending.
  for (const rule of rules) {
    expect(rule).toMatchObject({ health: 'ok', state: expect.not.stringMatching('firing') });
  }
});
