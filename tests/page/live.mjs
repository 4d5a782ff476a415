// Takes a picture of each view of the farm of `live`: `node live.mjs FOLDER`.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LOOKS, VIEWS, launch, open } from './browser.mjs';

const folder = process.argv[2] ?? 'pictures';
await mkdir(folder, { recursive: true });
const farm = { url: process.env.OREPASS ?? 'http://127.0.0.1:9199/' };
const views = { ...VIEWS, worker: '#/worker?name=farm.bad0&route=hns', aion: '#/now?route=aion' };
const browser = await launch();
for (const [look, options] of Object.entries(LOOKS)) {
  const page = await (await browser.newContext(options)).newPage();
  page.on('pageerror', (error) => console.log(look, error.stack));
  for (const [view, hash] of Object.entries(views)) {
    await open(page, farm, hash);
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(folder, `${view}-${look}.png`), fullPage: view !== 'rigs' });
  }
}
await browser.close();
