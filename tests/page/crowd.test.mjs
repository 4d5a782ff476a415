// Ten thousand workers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VIEWS, launch, open } from './browser.mjs';
import { Farm } from './farm.mjs';
import { Mock } from './mock.mjs';

test('the table of ten thousand is asked for page by page, and scrolls while it is live', async () => {
  const mock = await new Mock(new Farm({ rigs: 10000 })).start();
  const browser = await launch();
  const page = await browser.newPage();
  await page.goto(mock.url + VIEWS.rigs);
  await page.locator('tbody tr').nth(49).waitFor();
  const painted = await page.evaluate(() => ({
    first: performance.getEntriesByName('first-contentful-paint')[0].startTime, now: performance.now(),
  }));
  console.log('first paint, and all rows seen, in ms:', painted);
  // Generous, since the machine may be busy; alone it is a third of a second.
  assert.ok(painted.first < 5000, JSON.stringify(painted));
  assert.ok(mock.asked.filter((asked) => /workers\?/.test(asked)).every((asked) => /limit=(50|0)\b/.test(asked)), 'a page at a time');
  const begun = Date.now();
  await page.goto(`${mock.url}#/rigs?sort=-accepted_1h_hs&offset=5000`);
  await page.getByText('5,001 – 5,050 of 10,000').waitFor();
  console.log('sorted, in ms:', Date.now() - begun);
  // What a tick costs the browser, and whether scrolling waits for it.
  const longest = await page.evaluate(() => new Promise((told) => {
    let most = 0;
    let last = performance.now();
    const until = last + 3000;
    const frame = (now) => {
      most = Math.max(most, now - last);
      last = now;
      scrollBy(0, 20);
      if (now < until) requestAnimationFrame(frame);
      else told(most);
    };
    requestAnimationFrame(frame);
  }));
  console.log('the longest frame while scrolling, in ms:', longest);
  assert.ok(longest < 1000, `${longest} ms`);
  await open(page, mock, VIEWS.now);
  await browser.close();
  await mock.stop();
});
