// Each view, as people see it: nothing wrong by axe, nothing that the browser complains of.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { VIEWS, launch, open } from './browser.mjs';
import { Farm } from './farm.mjs';
import { Mock, TOKEN } from './mock.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let browser;
let mock;

before(async () => {
  browser = await launch();
  mock = await new Mock().start();
});
after(async () => {
  await browser.close();
  await mock.stop();
});

/** A page whose complaints are kept. */
async function visit(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10000);
  page.complaints = [];
  page.on('console', (line) => ['error', 'warning'].includes(line.type()) && page.complaints.push(line.text()));
  page.on('pageerror', (error) => page.complaints.push(error.stack));
  return page;
}

async function violations(page) {
  // Run by the browser's own tools, which the page's policy does not bind.
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return found.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join(' | ')}`);
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing in any view, ${colorScheme}`, async () => {
    const page = await visit({ colorScheme });
    await page.goto(mock.url);
    await page.evaluate((token) => sessionStorage.setItem('orepass-token', token), TOKEN);
    for (const [view, hash] of Object.entries(VIEWS)) {
      await open(page, mock, hash);
      assert.deepEqual(await violations(page), [], `${view}, ${colorScheme}`);
    }
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test('axe finds nothing on a phone, in a question, and where the proxy is lost', async () => {
  const page = await visit({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  for (const [view, hash] of Object.entries(VIEWS)) {
    await open(page, mock, hash);
    assert.deepEqual(await violations(page), [], view);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${view} is too wide by ${wide}`);
  }
  await page.getByRole('button', { name: 'Token', exact: true }).click();
  assert.deepEqual(await violations(page), [], 'token');
  await page.getByRole('button', { name: 'Cancel' }).click();
  mock.mode = 'drop';
  await page.getByText('The proxy does not answer').waitFor();
  assert.deepEqual(await violations(page), [], 'lost');
  mock.mode = 'ok';
  await page.context().close();
});

test('the menu leads through all views, and each says what it is', async () => {
  const page = await visit();
  await open(page, mock, VIEWS.now);
  for (const word of ['Rigs', 'Pools', 'Events', 'Connect', 'About', 'Now']) {
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: word }).click();
    await page.locator(`main[data-view="${word.toLowerCase()}"][aria-busy="false"]`).waitFor();
    assert.equal(await page.locator('h1').innerText(), word);
    assert.equal(await page.title(), `${word} – Orepass`);
  }
  await page.getByText('397 of 400 workers earn').waitFor();
  await page.getByRole('link', { name: 'aion (aion)' }).click();
  await page.getByText(/100 of 100 workers earn .* at aion-main\./).waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('the address holds what the table shows', async () => {
  const page = await visit();
  await open(page, mock, VIEWS.rigs);
  await page.getByLabel('Search').fill('R01');
  await page.locator('tbody tr').nth(10).waitFor({ state: 'detached' });
  assert.match(page.url(), /#\/rigs\?search=R01$/);
  await page.getByRole('link', { name: /quarantined/ }).click();
  await page.locator('tbody tr').nth(1).waitFor({ state: 'detached' });
  assert.match(page.url(), /search=R01&state=quarantined$/);
  assert.equal(await page.locator('tbody th').innerText(), 'farm.r013');
  await page.goto(`${mock.url}#/rigs?sort=-stale&offset=50`);
  await page.getByText('51 – 100 of 500').waitFor();
  await page.getByRole('columnheader', { name: 'shares stale' }).waitFor();
  await page.goBack();
  await page.locator('tbody tr').nth(1).waitFor({ state: 'detached' });
  assert.equal(await page.locator('tbody th').innerText(), 'farm.r013');
  const csv = page.waitForEvent('download');
  await page.getByRole('button', { name: 'CSV' }).click();
  assert.equal((await csv).suggestedFilename(), 'workers.csv');
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a row stays where it is while it is pointed at', async () => {
  const page = await visit();
  await open(page, mock, '#/rigs?sort=last_share_age_s');
  const names = () => page.locator('tbody th').allInnerTexts();
  await page.locator('tbody tr').nth(5).hover();
  const before = await names();
  await page.waitForTimeout(3000);
  assert.deepEqual(await names(), before);
  await page.mouse.move(5, 5);
  await page.waitForTimeout(3000);
  assert.notDeepEqual(await names(), before);
  await page.context().close();
});

test('from a mark in the chart to its event and back', async () => {
  const page = await visit();
  await open(page, mock, VIEWS.now);
  await page.getByRole('link', { name: /no pool/ }).click();
  const chosen = page.locator('.event.chosen');
  await chosen.getByText('no pool serves hns').waitFor();
  await chosen.getByRole('link', { name: 'hns' }).click();
  await page.locator('.marks a[aria-current]', { hasText: 'no pool' }).waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('events come as they happen, and stay in their order', async () => {
  const page = await visit();
  await open(page, mock, '#/events?id=share.');
  await page.getByText('Nothing of that kind has happened.').waitFor();
  mock.farm.happen('info', 'share.block', 'a block was found', { route: 'hns', rig: 'farm.r001' });
  await page.getByText('a block was found').waitFor();
  mock.farm.happen('warn', 'share.refused', 'a share was refused', { route: 'hns', rig: 'farm.r002' });
  await page.getByText('a share was refused').waitFor();
  assert.deepEqual(await page.locator('.event .what').allInnerTexts(), ['a share was refused', 'a block was found']);
  await page.context().close();
});

test('the chart is read by the arrow keys and as a table', async () => {
  const page = await visit();
  await open(page, mock, VIEWS.now);
  await page.getByRole('application', { name: /Hashrate of hns/ }).focus();
  await page.keyboard.press('End');
  const reading = page.locator('rate-chart .reading');
  assert.match(await reading.innerText(), /claimed by rigs .*H\/s, accepted here .*, average of a day/);
  const last = await reading.innerText();
  await page.keyboard.press('ArrowLeft');
  assert.notEqual(await reading.innerText(), last);
  await page.getByText('As a table').click();
  assert.equal(await page.locator('rate-chart tbody tr').count(), 20);
  await page.getByRole('button', { name: 'Older' }).click();
  await page.getByText('page 2 of 3').waitFor();
  await page.getByRole('link', { name: '7 days' }).click();
  await page.getByRole('application', { name: /7 days/ }).waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('nothing moves while it is live', async () => {
  const page = await visit();
  await open(page, mock, VIEWS.now);
  await page.waitForTimeout(800);
  const moved = page.evaluate(() => new Promise((told) => {
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => { sum += entry.value; }))
      .observe({ type: 'layout-shift' });
    setTimeout(() => told(sum), 4000);
  }));
  assert.ok(await moved < 0.01, `a shift of ${await moved}`);
  await page.context().close();
});

test('a farm without rigs is helped on', async () => {
  const bare = await new Mock(new Farm({ empty: true })).start();
  const page = await visit();
  for (const hash of Object.values(VIEWS)) {
    await open(page, bare, hash);
    if (!hash.startsWith('#/worker')) assert.deepEqual(await violations(page), [], hash);
  }
  await open(page, bare, VIEWS.now);
  await page.getByRole('link', { name: 'Connect the first' }).click();
  await page.getByText('Nothing has come to these addresses').waitFor();
  await page.getByText('stratum+tcp://127.0.0.1:3008', { exact: true }).waitFor();
  await page.context().close();
  await bare.stop();
});

test('the colours can be chosen', async () => {
  const page = await visit({ colorScheme: 'light' });
  await open(page, mock, VIEWS.now);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: 'As the system' }).click();
  await page.getByRole('button', { name: 'Light' }).click();
  await page.getByRole('button', { name: 'Dark' }).waitFor();
  assert.notEqual(await ground(), light);
  await page.reload();
  await page.getByRole('button', { name: 'Dark' }).waitFor();
  await page.context().close();
});
