/** The status page for everybody: axe-core, a keyboard alone, a phone, dark, little motion. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../src/common/status.ts';
import { openPage, withBrowser } from './browser.ts';
import { emptySet, NOW_MS, startMadeUp, statusOf, TOKEN, troubledSet, wellSet } from './made-up.ts';

withBrowser();

const MANY = Array.from({ length: 32 }, (_, i) => wellSet(`set-${i + 1}`));
const STATES: readonly (readonly [name: string, status: Status])[] = [
  ['one data set', statusOf([wellSet('')])],
  ['no data', statusOf([emptySet('')])],
  ['trouble', statusOf([troubledSet('users'), wellSet('geo'), emptySet('new')])],
  ['32 data sets', statusOf(MANY)],
];

async function shown(status: Status, options: Parameters<typeof openPage>[1] = {}) {
  const madeUp = await startMadeUp(status);
  const page = await openPage(madeUp.url, options);
  await page.locator('#verdict:not([data-level=none])').waitFor();
  return { madeUp, page };
}

/** Opens all data sets, and waits until they show what happened. */
async function openAll(page: Page): Promise<void> {
  await page.evaluate(`for (const one of document.querySelectorAll('details')) one.open = true`);
  await expect.poll(() => page.locator('.events:empty').count()).toBe(0);
}

/** What axe-core finds, each with where. */
async function violations(page: Page): Promise<unknown> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => html + failureSummary)]))`);
}

describe.each(['light', 'dark'] as const)('in the %s', (colorScheme) => {
  it.each(STATES)('axe-core finds nothing to say of a server with %s', async (_, status) => {
    const { page } = await shown(status, { colorScheme });
    if (status.dataSets.length < 5) await openAll(page);
    expect(await violations(page)).toEqual([]);
  });

  it('nor of the dialog, nor of a server that does not answer', async () => {
    const { page } = await shown(statusOf([wellSet('')]), { colorScheme });
    await page.getByRole('button', { name: 'Rescan …' }).click();
    await page.getByLabel('Token').fill('a-wrong-token-of-16');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'expected the token' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.route('**/api/status', (route) => route.abort());
    await page.getByRole('heading', { name: 'No answer' }).waitFor();
    expect(await violations(page)).toEqual([]);
  });
});

it('a keyboard is enough for all of it', async () => {
  const { madeUp, page } = await shown(statusOf([troubledSet('users'), wellSet('geo')]));
  const focused = (): Promise<unknown> => page.evaluate('document.activeElement.innerText');
  const tab = async (): Promise<unknown> => {
    await page.keyboard.press('Tab');
    return focused();
  };
  expect(await tab()).toBe('Skip to the data sets');
  expect([await tab(), await tab()]).toEqual(['users', 'users']);
  // A finding leads to its data set, and opens it.
  await page.keyboard.press('Enter');
  expect(await focused()).toMatch(/^!\s*users/);
  expect(await page.locator('details').first().getAttribute('open')).not.toBeNull();
  expect([await tab(), await tab()]).toEqual(['Rescan …', 'Roll back to generation 44 …']);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.type(TOKEN);
  await page.keyboard.press('Enter');
  await page.getByText('users was rolled back.').waitFor();
  expect(madeUp.posts).toEqual(['rollback users']);
  // Back to where one was.
  expect(await focused()).toBe('Roll back to generation 44 …');
});

it('a poll takes away neither the focus nor what is selected', async () => {
  const { madeUp, page } = await shown(statusOf([wellSet('')]));
  await page.getByRole('button', { name: 'Rescan …' }).focus();
  await page.evaluate(`getSelection().selectAllChildren(document.querySelector('#verdict-title'))`);
  for (let poll = 0; poll < 2; poll++) {
    // A poll that comes by itself may show the next minute before this one asks.
    const before = await page.locator('#updated').innerText();
    madeUp.goOn(60);
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await expect.poll(() => page.locator('#updated').innerText()).not.toBe(before);
  }
  expect(await page.evaluate('String(getSelection())')).toBe('Generation 45 serves');
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Rescan …');
});

it.each(STATES)('a phone shows a server with %s without scrolling sideways', async (_, status) => {
  const { page } = await shown(status, { viewport: { width: 360, height: 740 } });
  await openAll(page);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});

it('nothing moves for who wants little motion', async () => {
  const loading = {
    path: '/srv/drop/cities.db',
    stage: 'scan',
    sinceMs: NOW_MS,
    bytes: 1_000,
  } as const;
  const status = statusOf([wellSet('', { loading })]);
  const moving = 'document.getAnimations().length';
  const { page } = await shown(status, { reducedMotion: 'reduce' });
  await page.getByText('Loads /srv/drop/cities.db: scan').waitFor();
  expect(await page.evaluate(moving)).toBe(0);
  const { page: other } = await shown(status);
  await other.getByText('Loads /srv/drop/cities.db: scan').waitFor();
  expect(await other.evaluate(moving)).toBe(1);
});

it('32 data sets stay on one page, are shown at once, and open one by one', async () => {
  const { madeUp, page } = await shown(statusOf(MANY));
  expect(await page.locator('summary').count()).toBe(32);
  expect(await page.locator('.events li').count()).toBe(0);
  await page.locator('summary').nth(20).click();
  const events = page.locator('details').nth(20).locator('.events li');
  await expect.poll(() => events.count()).toBe(7);
  // One is taken away, and one comes, while it is looked at.
  madeUp.status = statusOf([...MANY.slice(0, 20), ...MANY.slice(21), wellSet('new')]);
  await expect.poll(() => page.locator('h3').allInnerTexts()).toContain('new');
  expect(await page.locator('summary').count()).toBe(32);
});
