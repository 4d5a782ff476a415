// Takes a picture of each view: `node pictures.mjs FOLDER`.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LOOKS, VIEWS, launch, open } from './browser.mjs';
import { Farm } from './farm.mjs';
import { Mock, TOKEN } from './mock.mjs';

const folder = process.argv[2] ?? 'pictures';
await mkdir(folder, { recursive: true });
const mock = await new Mock(new Farm({ hostile: process.argv[3] === 'hostile' })).start();
const browser = await launch();
for (const [look, options] of Object.entries(LOOKS)) {
  const page = await (await browser.newContext(options)).newPage();
  page.on('console', (line) => console.log(look, line.type(), line.text()));
  page.on('pageerror', (error) => console.log(look, error.stack));
  await page.goto(mock.url);
  if (look !== 'phone') await page.evaluate((token) => sessionStorage.setItem('orepass-token', token), TOKEN);
  for (const [view, hash] of Object.entries(VIEWS)) {
    await open(page, mock, hash);
    await page.waitForTimeout(300);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) console.log(look, view, 'is too wide by', wide);
    await page.screenshot({ path: join(folder, `${view}-${look}.png`), fullPage: true });
  }
}
await browser.close();
await mock.stop();
