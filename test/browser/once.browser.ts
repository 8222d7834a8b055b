/** The admin page of `goromdb once`, as somebody uses it. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startTrialCluster } from '../../src/once/trial/trial.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { secretFile, startWholeNode } from '../support/once-node.ts';
import { openPage, withBrowser } from './browser.ts';
import {
  deadMember,
  deadNode,
  node,
  openAdmin,
  overviewOf,
  STATES,
  showNow,
} from './made-up-once.ts';

withBrowser();

const TOKEN = 'a-token-of-more-than-16';
const WELL = 'Keys are created and read';

async function lookUp(page: Page, key: string): Promise<void> {
  const form = page.locator('#look');
  await form.getByLabel('Key').fill(key);
  await form.getByRole('button', { name: 'Look up' }).click();
}

async function set(page: Page, key: string, value: string): Promise<void> {
  const form = page.locator('#set');
  await form.getByLabel('Key').fill(key);
  await form.getByLabel('Value').fill(value);
  await form.getByRole('button', { name: 'Set' }).click();
}

async function told(page: Page, text: string | RegExp): Promise<void> {
  await page.locator('#answer').getByText(text).waitFor();
}

it('shows keys set and read, a node that dies, and an etcd that loses its quorum', async () => {
  const cluster = await startTrialCluster(temporaryFolder(), 3);
  onTestFinished(() => cluster.close());
  const { url } = await startWholeNode(cluster.endpoints);
  const flags = ['-etcd', cluster.endpoints.join(','), '-http', '127.0.0.1:0'];
  const other = new GoromdbProcess(['once', ...flags]);
  await other.says(/answers HTTP on (\S+)/);
  const page = await openPage(`${url}/admin`);
  await page.getByRole('heading', { name: WELL }).waitFor();
  await page.getByText('3 members of etcd and 2 nodes answer').waitFor();
  expect(await page.locator('#members .state').allInnerTexts()).toContain('✓ leader');

  await set(page, 'a/key with %', 'hello');
  await told(page, 'a/key with % was set');
  await page.getByText('there is 1 key').waitFor();
  await set(page, 'a/key with %', 'other');
  await told(page, /was not set: the key has another value/);
  await lookUp(page, 'a/key with %');
  await told(page, 'a/key with % is set');
  expect(await page.getByLabel('The value').inputValue()).toBe('hello');
  await lookUp(page, 'none');
  await told(page, 'none: nobody has set this key yet');

  await other.kill('SIGKILL');
  await page
    .locator('#findings')
    .getByText(/Node 127\S+ does not answer/)
    .waitFor();
  await page.getByText('and 1 node answer').waitFor();
  expect(await page.locator('#findings').isVisible()).toBe(false);

  for (const { child } of cluster.members.slice(1)) child.kill('SIGKILL');
  await page.getByRole('heading', { name: 'etcd has no quorum' }).waitFor();
  await lookUp(page, 'a/key with %');
  await told(page, 'a/key with % is set');
  await lookUp(page, 'none');
  await told(page, /none: whether the key is set cannot be said now/);
});

it('sets keys by a token, and keeps it in memory alone', async () => {
  const tokenFile = secretFile(`${TOKEN}\n`);
  const etcd = await FakeEtcd.start();
  const { url } = await startWholeNode([etcd.url], { tokenFile });
  const page = await openPage(`${url}/admin`);
  await page.getByRole('heading', { name: WELL }).waitFor();
  const token = page.getByLabel('Token');
  await token.fill('a-wrong-token-of-16');
  await set(page, 'foo', 'bar');
  await told(page, /was not set: expected the token/);
  await token.fill(TOKEN);
  await set(page, 'foo', 'bar');
  await told(page, 'foo was set');
  const stored = 'JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])';
  expect(await page.evaluate(stored)).not.toContain(TOKEN);
  etcd.mishaps.set('txn', 'cut-after');
  await set(page, 'foo2', 'bar');
  await told(page, 'The outcome is not known');
});

it('asks for a login, and then shows, reads and sets as ever', async () => {
  const authFile = secretFile('ann:secret\n');
  const { url } = await startWholeNode([(await FakeEtcd.start()).url], { authFile });
  // Without a window the browser cannot ask.
  await expect(openPage(`${url}/admin`)).rejects.toThrow('ERR_INVALID_AUTH_CREDENTIALS');
  // What somebody types into the browser's own dialog.
  const httpCredentials = { username: 'ann', password: 'secret' };
  const page = await openPage(`${url}/admin`, { httpCredentials });
  await page.getByRole('heading', { name: WELL }).waitFor();
  expect(await page.getByLabel('Token').isVisible()).toBe(false);
  await set(page, 'foo', 'bar');
  await told(page, 'foo was set');
  await lookUp(page, 'foo');
  await told(page, 'foo is set');
});

it('shows bytes in hex, and what is not markup as text', async () => {
  const etcd = await FakeEtcd.start();
  const { url } = await startWholeNode([etcd.url]);
  const create = (key: string, more: object) =>
    fetch(`${url}/key`, { method: 'POST', body: JSON.stringify({ key, ...more }) });
  await create('bytes', { valueBase64: Buffer.of(0, 0xff, 0x10).toString('base64') });
  await create('markup', { value: '<img src=x>', type: 'text/html' });
  const page = await openPage(`${url}/admin`);
  await lookUp(page, 'bytes');
  await told(page, /3 B, application\/octet-stream, shown in hex/);
  expect(await page.getByLabel('The value').inputValue()).toBe('00 ff 10');
  await lookUp(page, 'markup');
  await told(page, 'markup is set');
  expect(await page.getByLabel('The value').inputValue()).toBe('<img src=x>');
  expect(await page.locator('img').count()).toBe(0);
});

it('shows what each node is asked a second, and all of them together', async () => {
  const counted = (gets: number) => ({ ...node(1).figures!, gets, hits: gets / 2, created: gets });
  const state = overviewOf({ nodes: [1, 2].map((i) => node(i, { figures: counted(0) })) });
  const shown = await openAdmin(state);
  const nodes = state.nodes.map((one, i) => ({ ...one, figures: counted(20 * (i + 1)) }));
  await showNow(shown, { ...state, atMs: state.atMs + 10_000, nodes });
  expect((await shown.page.locator('#nodes dd').allInnerTexts()).slice(0, 6)).toEqual([
    ...['2', '1', '2', '0', '0', '41.7 MB'],
  ]);
  expect(await shown.page.locator('#charts .value').allInnerTexts()).toEqual([
    ...['6', '0', '0', '6', '50.0 %'],
  ]);
});

it('says that the node does not answer, and goes on when it does again', async () => {
  const { page } = await openAdmin(STATES.well);
  await page.route('**/api/overview', (route) => route.abort());
  await page.getByRole('heading', { name: 'No answer from the node' }).waitFor();
  await page.unroute('**/api/overview');
  await page.getByText('1 member of etcd and 1 node answer').waitFor();
});

it('whatever a node or a member says is text, and does not widen the page', async () => {
  const markup = `"><img src=x onerror="document.title='owned'">${'x'.repeat(500)}`;
  const state = overviewOf({
    nodes: [node(1), { ...deadNode(2), host: markup, version: markup, url: markup, why: markup }],
    members: [{ ...deadMember(1), name: markup, url: markup, faults: [markup] }],
    nodesFault: markup,
  });
  const { page } = await openAdmin(state, { viewport: { width: 360, height: 740 } });
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.title()).not.toBe('owned');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});

describe.each(['light', 'dark'] as const)('in the %s', (colorScheme) => {
  it.each(Object.entries(STATES))(
    'axe-core finds nothing to say when it is %s',
    async (_, state) => {
      const { page } = await openAdmin(state, { colorScheme });
      await lookUp(page, 'none');
      await told(page, /nobody has set this key/);
      await page.evaluate(axe.source);
      const violations = await page.evaluate(`axe.run().then(({ violations }) =>
      violations.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => html + failureSummary)]))`);
      expect(violations).toEqual([]);
    },
  );
});

it('a keyboard is enough', async () => {
  const { url } = await startWholeNode([(await FakeEtcd.start()).url]);
  const page = await openPage(`${url}/admin`);
  await page.getByRole('heading', { name: WELL }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type('foo');
  await page.keyboard.press('Enter');
  await told(page, 'foo: nobody has set this key yet');
});
