// What needs no browser.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as format from '../../crates/proxy/web/js/format.js';
import { marks } from '../../crates/proxy/web/js/marks.js';
import { Pace } from '../../crates/proxy/web/js/pace.js';
import * as route from '../../crates/proxy/web/js/route.js';
import { VERDICTS } from '../../crates/proxy/web/js/words.js';
import * as farm from './farm.mjs';

test('numbers have three digits that count', () => {
  assert.equal(format.rate(1.934e15), '1.93 PH/s');
  assert.equal(format.rate(999.6e12), '1.00 PH/s');
  assert.equal(format.rate(45.04), '45.0 H/s');
  assert.equal(format.rate(0), '0 H/s');
  assert.equal(format.rate(null), '–');
  assert.equal(format.age(7325), '2 h 2 min');
  assert.equal(format.age(-1), '0 s');
  assert.equal(format.many(1, 'share'), '1 share');
  assert.equal(format.difficulty(1e-6), '0.000001');
  assert.equal(format.difficulty(8192), '8,192');
  assert.equal(format.percent(1, 3), '33.3 %');
  assert.equal(format.percent(1, 1e9), '< 0.1 %');
  assert.equal(format.percent(1, 0), '–');
});

test('what is not seen in a text is named, and a long one is cut', () => {
  assert.equal(format.said('a\u202Eb\u0000c'), 'a\\u{202e}b\\u{0}c');
  assert.equal(format.said('x'.repeat(65536), 10), 'xxxxxxxxx…');
  assert.equal(format.said('<b>'), '<b>');
  assert.equal(format.said(null), '–');
  assert.ok(format.said('\u{1f600}'.repeat(50), 10).isWellFormed(), 'no half of a character is left');
});

test('a proxy that is lost is asked more and more seldom, and soon again when it is back', () => {
  const pace = new Pace();
  pace.succeeded(0);
  assert.equal(pace.due, 1000);
  const waits = Array.from({ length: 6 }, (_, time) => {
    pace.failed(10000 * time, 1);
    return pace.due - 10000 * time;
  });
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 15000, 15000]);
  assert.equal(pace.lostSince, 0);
  pace.failed(60000, 0);
  assert.ok(pace.due < 75000, 'not all pages ask at once');
  pace.succeeded(80000);
  assert.deepEqual([pace.lostSince, pace.due], [null, 81000]);
});

test('an outage is a band from its beginning to its end', () => {
  const at = (seconds) => new Date(1000 * seconds).toISOString();
  const event = (sequence, seconds, id, rest) => ({ sequence, at: at(seconds), id, route: 'hns', ...rest });
  const events = [
    event(1, 50, 'pool.outage'), event(2, 90, 'pool.active'), event(3, 95, 'rig.up'), event(4, 120, 'pool.switch', { pool: 'b' }),
    event(5, 130, 'pool.outage', { route: 'aion' }), event(6, 140, 'pool.outage'),
    event(7, 150, 'diagnostic.raised', { fields: { code: 'rigs_silent' } }), event(8, 155, 'diagnostic.cleared', { fields: { code: 'rate_low' } }),
    event(9, 160, 'diagnostic.cleared', { fields: { code: 'rigs_silent' } }),
  ];
  const found = marks(events, 'hns', 60, 200, 4).map(({ from, to, word, chosen }) => [from, to, word, chosen]);
  assert.deepEqual(found, [[50, 90, 'no pool', false], [120, 120, 'failover (b)', true], [140, 200, 'no pool', false],
    [150, 160, 'alert (rigs_silent)', false]]);
});

test('an address is read as it was written', () => {
  const params = { name: '<img src=x>&?#/%00', route: 'hns' };
  assert.deepEqual(route.read(route.to('worker', params)), { view: 'worker', params });
  assert.deepEqual(route.read(''), { view: 'now', params: {} });
});

test('each verdict has its words', () => {
  assert.deepEqual(VERDICTS.map(({ key }) => key).sort(), [...farm.VERDICTS].sort());
});

const WEB = new URL('../../crates/proxy/web/', import.meta.url).pathname;

test('all modules are asked for at once, and the whole page is small', async () => {
  const files = (await readdir(WEB, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const names = files.map(({ parentPath, name }) => join(parentPath, name).slice(WEB.length));
  const index = await readFile(join(WEB, 'index.html'), 'utf8');
  for (const name of names.filter((name) => name.endsWith('.js'))) {
    assert.ok(index.includes(`"${name}"`), `${name} stands in index.html`);
  }
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(WEB, name))).size));
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(whole < 180 * 1024, `${whole} bytes`);
  assert.ok(!/style=|<style|<script>| on\w+=/.test(index), 'nothing that the policy forbids');
});

test('what others wrote is what vendor/README.md says', async () => {
  const told = await readFile(join(WEB, 'vendor/README.md'), 'utf8');
  for (const [, name, hash] of told.matchAll(/^\| `([^`]+)` .* `([0-9a-f]{64})` \|$/gm)) {
    const found = createHash('sha256').update(await readFile(join(WEB, 'vendor', name))).digest('hex');
    assert.equal(found, hash, name);
  }
});
