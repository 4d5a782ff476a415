// A headless Chromium of the machine's own.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export const hasChromium = () => existsSync(CHROMIUM);

export const launch = () => chromium.launch({
  executablePath: CHROMIUM,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** The views that there are, with something in each. */
export const VIEWS = {
  now: '#/now', rigs: '#/rigs', worker: '#/worker?name=farm.r013&route=hns', pools: '#/pools', events: '#/events',
  connect: '#/connect', about: '#/about',
};

/** How pictures are taken. */
export const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};

/** Opens a view, and waits until it has what it shows. */
export async function open(page, mock, hash) {
  await page.goto(mock.url + hash);
  const view = /^#\/(\w+)/.exec(hash)[1];
  await page.locator(`main[data-view="${view}"][aria-busy="false"]`).waitFor();
}
