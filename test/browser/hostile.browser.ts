/** What a producer or a client can have the page show. */
import { expect, it } from 'vitest';
import { openPage, withBrowser } from './browser.ts';
import { event, startMadeUp, statusOf, wellSet } from './made-up.ts';

withBrowser();

const MARKUP = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script><b class=owned>'`;

it('names, reasons and files are text, whatever they say', async () => {
  const set = wellSet(MARKUP);
  const { serving } = set;
  const madeUp = await startMadeUp(
    statusOf(
      [
        {
          ...set,
          file: `/srv/${MARKUP}`,
          serving: { ...serving!, md5: MARKUP, format: MARKUP, warnings: [MARKUP] },
          loading: { path: MARKUP, stage: 'scan', sinceMs: 0 },
          fault: MARKUP,
          lastError: { code: MARKUP, text: MARKUP, atMs: 0 },
          waiting: { code: MARKUP, text: MARKUP, sinceMs: 0 },
          events: [
            event(1, 'rejected', MARKUP),
            { at: MARKUP, kind: MARKUP as 'rejected', text: MARKUP },
            event(0.5, 'serving', `generation 9 serves from slot data00: ${MARKUP}`),
          ],
        },
        wellSet('constructor'),
        wellSet('__proto__'),
      ],
      { address: MARKUP, version: MARKUP, node: MARKUP },
    ),
  );
  const page = await openPage(madeUp.url);
  await page.getByRole('heading', { name: '3 data sets serve' }).waitFor();
  for (const summary of await page.locator('summary').all()) await summary.click();
  await page.getByRole('button', { name: 'Rescan …' }).first().click();
  expect(await page.getByRole('dialog').innerText()).toContain(`Rescan ${MARKUP}?`);
  expect(await page.locator('img, b, script:not([type=module])').count()).toBe(0);
  expect(await page.title()).not.toBe('owned');
  expect(await page.locator('.events').first().innerText()).toContain(MARKUP);
});

it('a text of no end in one word does not widen the page', async () => {
  const long = 'x'.repeat(1_000);
  const set = wellSet(long, { events: [event(1, 'rejected', long)] });
  const madeUp = await startMadeUp(statusOf([set, wellSet('geo')], { address: long }));
  const page = await openPage(madeUp.url, { viewport: { width: 360, height: 740 } });
  await page.locator('summary').first().click();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});

it('the policy keeps out what somebody gets into the page all the same', async () => {
  const madeUp = await startMadeUp(statusOf([wellSet('')]));
  const page = await openPage(madeUp.url);
  await page.getByRole('heading', { name: 'Generation 45 serves' }).waitFor();
  const tried = (code: string): Promise<unknown> =>
    page.evaluate(
      `(() => { try { ${code}; return 'done' } catch (error) { return error.name } })()`,
    );
  expect(await tried(`document.body.innerHTML = '<b>x</b>'`)).toBe('TypeError');
  expect(await tried(`document.body.insertAdjacentHTML('beforeend', '<b>x</b>')`)).toBe(
    'TypeError',
  );
  expect(await page.locator('b').count()).toBe(0);
});
