// Has browsers watch a farm: `node watch.mjs URL BROWSERS SECONDS`. Tells how soon each saw something and
// what its longest frame was, while the table of rigs scrolled.

import { launch } from './browser.mjs';

const [url, count, seconds] = [process.argv[2], Number(process.argv[3] ?? 5), Number(process.argv[4] ?? 30)];
const watch = async (number) => {
  const browser = await launch();
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.log(number, error.stack));
  await page.goto(`${url}#/${number % 2 ? 'now' : 'rigs?sort=-accepted_1h_hs'}`);
  await page.locator('main[aria-busy="false"]').waitFor();
  const painted = await page.evaluate(() => ({
    first: performance.getEntriesByName('first-contentful-paint')[0]?.startTime, whole: performance.now(),
  }));
  const frames = await page.evaluate((milliseconds) => new Promise((told) => {
    const times = [];
    let last = performance.now();
    const until = last + milliseconds;
    const frame = (now) => {
      times.push(now - last);
      last = now;
      scrollBy(0, times.length % 100 < 50 ? 20 : -20);
      if (now < until) return requestAnimationFrame(frame);
      times.sort((one, other) => one - other);
      told({ frames: times.length, median: times[times.length >> 1], longest: times.at(-1) });
    };
    requestAnimationFrame(frame);
  }), 1000 * seconds);
  await browser.close();
  console.log(JSON.stringify({ browser: number, painted, frames }));
};
await Promise.all(Array.from({ length: count }, (_, number) => watch(number)));
