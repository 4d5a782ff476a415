// What an operator does, and what is refused.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { VIEWS, launch, open } from './browser.mjs';
import { Mock, TOKEN } from './mock.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** What has the focus, in words. */
const focused = (page) => page.evaluate(() => {
  const { tagName, innerText, ariaLabel, type } = document.activeElement;
  return `${tagName} ${type ?? ''} ${ariaLabel ?? ''} ${innerText ?? ''}`.replace(/\s+/g, ' ');
});

/** Goes on by the tab key alone until that has the focus. */
async function tabTo(page, wanted, most = 120) {
  for (let step = 0; step < most; step += 1) {
    await page.keyboard.press('Tab');
    if (wanted.test(await focused(page))) return;
  }
  assert.fail(`the tab key does not come to ${wanted}; it stands at ${await focused(page)}`);
}

test('a bad rig is found, understood and kicked by the keyboard alone', async () => {
  const mock = await new Mock().start();
  const page = await browser.newPage();
  await open(page, mock, VIEWS.now);
  await tabTo(page, /^BUTTON .*Token/);
  await page.keyboard.press('Enter');
  assert.match(await focused(page), /INPUT password/);
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('nobody has this token').waitFor();
  await page.keyboard.press('Control+a');
  await page.keyboard.type(TOKEN);
  await page.keyboard.press('Enter');
  await page.getByText('The token is known').waitFor();
  await tabTo(page, /^A .*1 quarantined/);
  await page.keyboard.press('Enter');
  await page.locator('main[data-view="rigs"][aria-busy="false"]').waitFor();
  assert.match(await focused(page), /^H1 .*Rigs/);
  await tabTo(page, /^A .*farm\.r013/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Worker farm.r013' }).waitFor();
  await page.getByText('its firmware restarts its counter').first().waitFor();
  await page.getByText('update its firmware').waitFor();
  await tabTo(page, /^BUTTON .*Kick/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Kick this rig?' }).getByText('hns-13').waitFor();
  assert.match(await focused(page), /Cancel/, 'not by a slip');
  await page.keyboard.press('Escape');
  assert.deepEqual(mock.farm.kicked, []);
  assert.match(await focused(page), /Kick/, 'back to where one was');
  await page.keyboard.press('Enter');
  await tabTo(page, /Kick it/, 3);
  await page.keyboard.press('Enter');
  await page.getByText('hns-13 is being closed.').waitFor();
  assert.deepEqual(mock.farm.kicked, ['hns-13']);
  await page.close();
  await mock.stop();
});

test('without a token nothing can be done, and one for looking is told so', async () => {
  const mock = await new Mock().start();
  const page = await browser.newPage();
  await open(page, mock, VIEWS.worker);
  assert.equal(await page.getByRole('button', { name: /Kick|Ban/ }).count(), 0);
  await page.getByRole('button', { name: 'Enter a token to act' }).click();
  await page.getByRole('textbox', { name: 'Token' }).fill('let-me-look');
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.getByRole('button', { name: 'Ban…' }).click();
  await page.getByRole('button', { name: 'Ban it' }).click();
  await page.getByRole('alert').getByText('the token is for looking').waitFor();
  assert.equal(mock.farm.banned.size, 0);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Forget token' }).click();
  await page.getByRole('button', { name: 'Enter a token to act' }).waitFor();
  await page.close();
  await mock.stop();
});

test('difficulty, ban, pool and config are in an operator’s hands', async () => {
  const mock = await new Mock().start();
  const page = await browser.newPage();
  await page.goto(mock.url);
  await page.evaluate((token) => sessionStorage.setItem('orepass-token', token), TOKEN);
  await open(page, mock, VIEWS.worker);
  await page.getByRole('button', { name: 'Set difficulty…' }).click();
  await page.getByRole('spinbutton', { name: 'Difficulty' }).fill('1024');
  await page.getByRole('button', { name: 'Set it' }).click();
  await page.getByText('hns-13 will be told.').waitFor();
  await page.getByRole('button', { name: 'Ban…' }).click();
  await page.getByRole('spinbutton', { name: 'Minutes' }).fill('30');
  await page.getByRole('button', { name: 'Ban it' }).click();
  await page.getByText('farm.r013 is refused.').waitFor();
  assert.ok(mock.farm.banned.has('farm.r013'));
  await open(page, mock, VIEWS.pools);
  await page.locator('article', { hasText: 'pool-c' }).getByRole('button', { name: 'Prefer…' }).click();
  await page.getByRole('button', { name: 'Prefer it' }).click();
  await page.getByText('preferred by you').waitFor();
  await open(page, mock, VIEWS.about);
  await page.getByRole('button', { name: 'Reload…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Reload' }).click();
  await page.getByText('route hns: max_channels is 32, was 16').waitFor();
  await page.getByText('workers is 4, was 2').waitFor();
  mock.refuseReload = true;
  await page.getByRole('button', { name: 'Reload…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Reload' }).click();
  await page.getByRole('dialog').getByText('/etc/orepass/orepass.toml:12:3').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Refused; nothing has changed').waitFor();
  await page.close();
  await mock.stop();
});

test('a proxy that is lost is said, and comes back by itself', async () => {
  const mock = await new Mock().start();
  const page = await browser.newPage();
  await open(page, mock, VIEWS.now);
  for (const [mode, words] of [['drop', 'The proxy does not answer.'], ['500', 'The proxy answers that it cannot']]) {
    mock.mode = mode;
    await page.getByRole('alert').getByText(words).waitFor();
    await page.getByText('What is shown is old.').waitFor();
    await page.getByText('397 of 400 workers earn').waitFor();
    mock.mode = 'ok';
    await page.locator('.lost').waitFor({ state: 'detached' });
  }
  mock.mode = '401';
  await page.getByText('A token is needed to look').waitFor();
  await page.getByRole('button', { name: 'Enter a token', exact: true }).click();
  await page.getByRole('textbox', { name: 'Token' }).fill(TOKEN);
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.getByText('397 of 400 workers earn').waitFor();
  await page.close();
  await mock.stop();
});

test('a page that nobody sees asks nothing', async () => {
  const mock = await new Mock().start();
  const page = await browser.newPage();
  await open(page, mock, VIEWS.now);
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
  });
  await page.waitForTimeout(500);
  const asked = mock.asked.length;
  await page.waitForTimeout(2500);
  assert.equal(mock.asked.length, asked);
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await page.waitForTimeout(300);
  assert.ok(mock.asked.length > asked);
  await page.close();
  await mock.stop();
});
