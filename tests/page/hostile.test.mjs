// What rigs say of themselves is text, wherever it is shown.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VIEWS, launch, open } from './browser.mjs';
import { HOSTILE } from './farm.mjs';
import { Mock } from './mock.mjs';

test('names and agents that mean harm are shown as text', async () => {
  const mock = await new Mock().start();
  const browser = await launch();
  const page = await browser.newPage();
  const wrong = [];
  page.on('dialog', (dialog) => { wrong.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('console', (line) => line.type() === 'error' && wrong.push(line.text()));
  page.on('pageerror', (error) => wrong.push(error.stack));
  page.on('request', (request) => request.url().startsWith(mock.url) || wrong.push(`asked for ${request.url()}`));
  const made = () => page.evaluate(() =>
    [...document.querySelectorAll('#page img, #page script, #page iframe, #page [onerror], a[href^="javascript"]')]
      .filter((element) => element.getAttribute('src') !== 'icon.svg').map((element) => element.outerHTML));
  const texts = [];
  for (const name of Object.values(HOSTILE)) {
    for (const hash of [`#/rigs?search=${encodeURIComponent(name.slice(0, 100))}`, `#/events?text=${encodeURIComponent(name.slice(0, 100))}`,
      `#/worker?name=${encodeURIComponent(name.slice(0, 4000))}`]) {
      await open(page, mock, hash);
      assert.deepEqual(await made(), [], hash.slice(0, 100));
      texts.push(await page.locator('main').innerText());
    }
  }
  for (const hash of Object.values(VIEWS)) {
    await open(page, mock, hash);
    assert.deepEqual(await made(), [], hash);
  }
  const all = texts.join('\n');
  for (const shown of [HOSTILE.image, HOSTILE.script, HOSTILE.template, HOSTILE.link, HOSTILE.path, 'farm.\\u{202e}gnp.kcab', 'farm.r\\u{200b}001']) {
    assert.ok(all.includes(shown), `${shown} is shown as it is`);
  }
  assert.ok(!/x{2000}/.test(all), 'a long one is cut');
  // A worker of that length is not known to the proxy, which is an answer as any other.
  assert.deepEqual(wrong.filter((text) => !/status of (404|431)/.test(text)), []);
  await browser.close();
  await mock.stop();
});
