/** When the status page asks the server. Its clock stands still, and goes on as the tests say. */
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { formatAddress } from '../../src/common/address.ts';
import { HttpSubject } from '../http/http-subject.ts';
import { drop } from '../support/drop.ts';
import { openPage, withBrowser } from './browser.ts';

withBrowser();

/** A page, and the paths that it has asked for. */
async function open(): Promise<{
  readonly subject: HttpSubject;
  readonly page: Page;
  readonly asked: string[];
}> {
  const subject = await HttpSubject.start();
  const asked: string[] = [];
  const page = await openPage(`http://${formatAddress(subject.http)}/`, {}, async (fresh) => {
    fresh.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await fresh.clock.install();
  });
  await page.getByRole('heading', { name: 'Nothing serves' }).waitFor();
  await page.clock.pauseAt(Date.now() + 3_600_000);
  return { subject, page, asked };
}

async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'))`);
}

it('is told of an event at once, without waiting for the next poll', async () => {
  const { subject, page } = await open();
  drop(subject.file, '{"k":"1"}');
  await page.getByRole('heading', { name: 'Generation 1 serves' }).waitFor();
});

it('asks again and again while it is seen, nothing while it is hidden, and at once when it is seen again', async () => {
  const { subject, page, asked } = await open();
  const polls = (): number => asked.filter((path) => path === '/api/status').length;
  const before = polls();
  await expect
    .poll(async () => {
      await page.clock.runFor(500);
      return polls();
    })
    .toBeGreaterThan(before);
  await hide(page, true);
  // Behind all that was asked before.
  await page.evaluate(`fetch('healthz').then((response) => response.text())`);
  expect(asked.at(-1)).toBe('/healthz');
  const seen = asked.length;
  drop(subject.file, '{"k":"1"}');
  await expect.poll(() => subject.goromdb.status().dataSets[0].serving?.generation).toBe(1);
  await page.clock.runFor(60_000);
  expect(asked.slice(seen)).toEqual([]);
  await hide(page, false);
  await page.getByRole('heading', { name: 'Generation 1 serves' }).waitFor();
  expect(asked.slice(seen)).toContain('/api/events');
});

it('listens again after the server had no room for it', async () => {
  const { page, asked } = await open();
  const listens = (): number => asked.filter((path) => path === '/api/events').length;
  await page.route('**/api/events', (route) => route.fulfill({ status: 503 }));
  const before = listens();
  await hide(page, false);
  await expect.poll(listens).toBe(before + 1);
  await page.unroute('**/api/events');
  await expect
    .poll(async () => {
      await page.clock.runFor(5_000);
      return listens();
    })
    .toBe(before + 2);
});
