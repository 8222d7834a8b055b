/** Debian's Chromium, and pages in it. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { PATIENCE_MS } from '../support/patience.ts';

const CHROMIUM = '/usr/bin/chromium';

/** A status that the page shows, and what a test tries and the policy refuses. */
const EXPECTED = /Failed to load resource|requires 'TrustedHTML'/;

let browser: Browser | undefined;

/** Starts the browser for the tests of a file. @throws Error with the command that installs it. */
export function withBrowser(): void {
  beforeAll(async () => {
    if (!existsSync(CHROMIUM)) {
      throw new Error('not installed: chromium. Run:\nsh test/browser/install.sh');
    }
    // The sandbox needs what containers do not have; pages come from these tests alone.
    browser = await chromium.launch({ executablePath: CHROMIUM, chromiumSandbox: false });
  });
  afterAll(() => browser?.close());
}

/**
 * A page of the browser, whose errors and requests to elsewhere fail the test.
 *
 * @param prepare Called of the page before it is loaded.
 */
export async function openPage(
  url: string,
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<Page> {
  const context = await browser!.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !EXPECTED.test(message.text())) {
      faults.push(message.text());
    }
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url.replace(/[^/]*$/, ''))) faults.push(request.url());
  });
  onTestFinished(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });
  await prepare(page);
  await page.goto(url);
  return page;
}
