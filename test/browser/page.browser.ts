/** The status page of a real server, as somebody uses it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatAddress } from '../../src/common/address.ts';
import { HttpSubject, TOKEN } from '../http/http-subject.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { openPage, withBrowser } from './browser.ts';

withBrowser();

async function start(): Promise<{ readonly subject: HttpSubject; readonly url: string }> {
  const tokenFile = join(temporaryFolder(), 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  const subject = await HttpSubject.start({ tokenFile });
  return { subject, url: `http://${formatAddress(subject.http)}/` };
}

it('follows publishes, a rejection and a rollback as they come', async () => {
  const { subject, url } = await start();
  const page = await openPage(url);
  await page.getByRole('heading', { name: 'Nothing serves' }).waitFor();
  drop(subject.file, '{"k":"1"}');
  await page.getByRole('heading', { name: 'Generation 1 serves' }).waitFor();
  drop(subject.file, '{"k":"1","l":"2"}');
  await page.getByRole('heading', { name: 'Generation 2 serves' }).waitFor();
  drop(subject.file, '{"k":');
  await page.getByRole('heading', { name: 'Generation 2 serves, with 1 thing' }).waitFor();
  const events = page.locator('.events li').filter({ hasText: 'Rejected' });
  expect(await events.innerText()).toMatch(
    /expected .* found .*quarantined as .*data\.json\.rejected/s,
  );

  await page.getByRole('button', { name: 'Roll back to generation 1' }).click();
  const dialog = page.getByRole('dialog', { name: 'Roll back data.json?' });
  await dialog.getByLabel('Token').fill('a-wrong-token-of-16');
  await dialog.getByRole('button', { name: 'Roll back' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'expected the token' }).waitFor();
  await dialog.getByLabel('Token').fill(TOKEN);
  await dialog.getByRole('button', { name: 'Roll back' }).click();
  await page.getByText('data.json was rolled back.').waitFor();
  await page.getByRole('heading', { name: 'Generation 3 serves' }).waitFor();
  await page.getByRole('listitem').filter({ hasText: 'Rolled back' }).waitFor();
  expect(subject.goromdb.status().dataSets[0].serving).toMatchObject({
    generation: 3,
    restores: 1,
  });
});

it('keeps the token in memory, and nowhere else', async () => {
  const { subject, url } = await start();
  const page = await openPage(url);
  const rescan = page.getByRole('button', { name: 'Rescan …' });
  await rescan.click();
  await page.getByLabel('Token').fill(TOKEN);
  await page.keyboard.press('Enter');
  await page.getByText('the drop folder is looked at').waitFor();
  // It is not asked for again …
  await rescan.click();
  expect(await page.getByLabel('Token').isVisible()).toBe(false);
  await page.getByRole('dialog').getByRole('button', { name: 'Rescan' }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  expect(subject.logger.lines.filter((line) => line.includes('/api/rescan'))).toHaveLength(2);
  // … until it is forgotten, or the page is loaded again.
  await page.getByRole('button', { name: 'Forget the token' }).click();
  await rescan.click();
  expect(await page.getByLabel('Token').inputValue()).toBe('');
  const kept = 'JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])';
  expect(await page.evaluate(kept)).not.toContain(TOKEN);
  await page.reload();
  await rescan.click();
  expect(await page.getByLabel('Token').inputValue()).toBe('');
});

it('shows what clients ask for, and how much of it is found', async () => {
  const { subject, url } = await start();
  drop(subject.file, '{"k":"1"}');
  const page = await openPage(url);
  await page.getByRole('heading', { name: 'Generation 1 serves' }).waitFor();
  const client = await RawClient.connect(subject.goromdb.address);
  const rates = page.getByRole('article').filter({ hasText: 'Hit rate' }).locator('.value');
  await expect
    .poll(async () => {
      await client.ask('get k k k x\r\n');
      return rates.allInnerTexts();
    })
    .toEqual(['75.0 %', '75.0 %']);
});

it('says that the server does not answer, and goes on when it does again', async () => {
  const { subject, url } = await start();
  const page = await openPage(url);
  await page.getByRole('heading', { name: 'Nothing serves' }).waitFor();
  await page.route('**/api/status', (route) => route.abort());
  await page.getByRole('heading', { name: 'No answer from the server' }).waitFor();
  await page.getByText('is shown below').waitFor();
  drop(subject.file, '{"k":"1"}');
  await page.unroute('**/api/status');
  await page.getByRole('heading', { name: 'Generation 1 serves' }).waitFor();
});

it('loads the page of a new build when the server is replaced', async () => {
  const { url } = await start();
  const page = await openPage(url);
  await page.getByRole('heading', { name: 'Nothing serves' }).waitFor();
  const loaded = page.waitForEvent('load');
  let isNew = true;
  await page.route('**/api/status', async (route) => {
    const response = await route.fetch();
    const status = await response.json();
    status.server.version = isNew ? '9.9.9' : status.server.version;
    isNew = false;
    await route.fulfill({ response, json: status });
  });
  await loaded;
  await page.getByRole('heading', { name: 'Nothing serves' }).waitFor();
});

it('says of data that it is too old for whoever asks so', async () => {
  const { subject, url } = await start();
  drop(subject.file, '{"k":"1"}');
  const page = await openPage(`${url}?fresh=1ms`);
  await page.locator('#findings').getByText('Not fresh: generation 1 was installed').waitFor();
  const wrong = await openPage(`${url}?fresh=soon`);
  await wrong.getByText('expected a duration such as 26h').waitFor();
});

it('shows which prefixes clients ask for, where the server may', async () => {
  const subject = await HttpSubject.start({ prefixDelimiter: ':' });
  drop(subject.file, '{"city:paris":"1"}');
  await expect.poll(() => subject.goromdb.status().dataSets[0].serving?.generation).toBe(1);
  const client = await RawClient.connect(subject.goromdb.address);
  const asked = `get ${'city:paris city:rome '.repeat(40)}\r\n`;
  for (let i = 0; i < 100; i++) await client.ask(asked, 'END\r\n');
  const page = await openPage(`http://${formatAddress(subject.http)}/`);
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'city:' }) });
  await row.waitFor();
  expect(await row.innerText()).toMatch(/^city:\s+100 %\s+\d\d\.\d %$/);
  // The longer it took to ask, the more of it is sampled: 1,234 on a busy machine.
  await page.getByText(/^Of [\d,]+ lookups sampled in the last 5 min\.$/).waitFor();
});

it('has no place for prefixes, and asks once, where the server may not show them', async () => {
  const { url } = await start();
  const asked: string[] = [];
  const page = await openPage(url, {}, async (fresh) => {
    fresh.on('request', (request) => asked.push(request.url()));
    await fresh.clock.install();
  });
  await page.getByRole('heading', { name: 'Nothing serves' }).waitFor();
  // For a minute of its clock: where they may be shown, they are asked for every ten seconds.
  await expect
    .poll(async () => {
      await page.clock.runFor(5_000);
      return asked.filter((one) => one.includes('/metrics')).length;
    })
    .toBeGreaterThan(12);
  expect(asked.filter((one) => one.includes('/api/prefixes'))).toHaveLength(1);
  expect(await page.getByRole('heading', { name: 'Hot prefixes' }).isVisible()).toBe(false);
});
