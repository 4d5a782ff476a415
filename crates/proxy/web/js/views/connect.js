// What to type into rigs, and whether the first one has come all the way.

import { html, nothing } from '../../vendor/lit-html.js';
import * as api from '../api.js';
import * as format from '../format.js';
import { choice, empty, outside, workerLink } from '../parts.js';
import * as route from '../route.js';
import { hintsOf } from '../vendors.js';

export const title = () => 'Connect';

export async function load({ params, memory, now, signal }) {
  const { routes } = await api.get('summary', { signal });
  const shown = routes.find(({ name }) => name === params.route) ?? routes[0];
  if (!shown) return { routes };
  const { total } = await api.get(api.path('rigs', { route: shown.name, limit: 0 }), { signal });
  const newest = total
    ? await api.get(api.path('rigs', { route: shown.name, offset: total - 1, limit: 1 }), { signal }) : { rigs: [] };
  const refused = await memory.every(5, `refused ${shown.name}`, now, () =>
    api.get(api.path('events', { id: 'rig.refused', route: shown.name, limit: 1 }), { signal }));
  return { routes, shown, rig: newest.rigs[0], refused: refused.events[0] };
}

export function render({ routes, shown, rig, refused }, { params, ui }) {
  if (!shown) return empty('There is no route yet.', html`Add a <code>[[route]]</code> to the config, and reload it.`);
  const tabs = routes.map(({ name, dialect }) => ({
    value: name, word: `${name} (${dialect})`, href: route.to('connect', { ...params, route: name }),
  }));
  const host = location.hostname;
  return html`
    ${routes.length > 1 ? choice('Route', tabs, shown.name) : nothing}
    <section class="card"><h2>Addresses for rigs</h2>
      <ul class="addresses">${addresses(shown.listen, host).map(({ url, note }) => html`<li>
        <code>${url}</code> <button type="button" @click=${() => copy(url, ui)} aria-label="Copy ${url}">Copy</button>
        ${note ? html`<span class="dim">${note}</span>` : nothing}</li>`)}</ul>
      <p class="dim">The worker’s name is free, such as <code>farm.rig1</code>; the password is <code>x</code> unless
        the config sets an <code>access_password</code>.</p></section>
    <section class="card"><h2>The newest rig on ${shown.name}</h2>${checklist(shown, rig, refused)}</section>
    <section class="card"><h2>What to type where</h2>
      ${hintsOf(shown.dialect).map(({ name, steps }) => html`<h3>${name}</h3>
        <ul>${steps.map((step) => html`<li>${step}</li>`)}</ul>`)}</section>`;
}

const LOOPBACK = /^(localhost|127\..*|::1|\[::1\])$/;

/** Where all addresses are listened on, the one by which this page was reached is as good as any. */
function addresses(listen, host) {
  return listen.map((text) => {
    const tls = text.startsWith('tls://');
    const bare = text.replace(/^tls:\/\//, '');
    const [, address, port] = /^(.*):(\d+)$/.exec(bare) ?? [null, bare, ''];
    const every = address === '' || address === '0.0.0.0' || address === '[::]';
    const shown = every ? host : address;
    const note = LOOPBACK.test(shown)
      ? every ? 'From other machines use this machine’s name or address in the place of this one.'
        : 'Only programs on the proxy’s own machine reach it.' : '';
    return { url: `stratum+${tls ? 'ssl' : 'tcp'}://${shown}:${port}`, note };
  });
}

async function copy(text, ui) {
  try {
    await navigator.clipboard.writeText(text);
    ui.say(`Copied ${text}`);
  } catch {
    // Browsers let pages without TLS copy nothing of themselves.
    ui.say('The browser does not let this page copy; mark the address and copy it.');
  }
}

function checklist(shown, rig, refused) {
  const sent = rig?.shares.sent ?? 0;
  const credited = rig?.shares.accepted_by_pool ?? 0;
  const good = credited + (rig?.shares.below_pool_target ?? 0);
  const steps = [
    { done: Boolean(rig), word: 'It is connected', told: rig && html`from ${rig.address}, ${format.age(rig.connected_s)} ago`,
      hint: 'Nothing has come to these addresses. Look at the address in the rig, and at the firewall.' },
    { done: Boolean(rig?.worker), word: 'It has said its name', told: rig?.worker && workerLink(rig.worker, shown.name),
      hint: 'It has not logged in yet: a worker’s name is wanted.' },
    { done: Boolean(rig?.pool), word: 'It has work', told: rig?.pool && html`from ${rig.pool}, difficulty ${format.difficulty(rig.difficulty)}`,
      hint: 'No pool has work for it; look at the pools.' },
    { done: sent > 0, word: 'It has sent a share', told: sent > 0 && html`${format.count(sent)} so far, the last ${format.ago(rig.last_share_age_s)}`,
      hint: 'The first one may take some minutes: at a high difficulty they are rare.' },
    { done: good > 0, word: 'Its shares are good', told: good > 0 && html`${format.count(good)} of ${format.count(sent)}`,
      hint: rig?.diagnosis ? html`${outside(rig.diagnosis, 200)}. ${outside(rig.advice, 200)}` : 'None was good yet.' },
    { done: credited > 0, word: 'The pool has credited one', told: credited > 0 && html`${format.count(credited)} credited`,
      hint: 'The pool asks for more than the rig: of its good shares some will do.' },
  ];
  const at = steps.findIndex(({ done }) => !done);
  return html`<ol class="checklist">${steps.map(({ done, word, told, hint }, place) => html`
    <li class=${done ? 'good' : place === at ? 'warn' : 'off'}>
      <span aria-hidden="true">${done ? '✓' : place === at ? '…' : '○'}</span>
      ${word}<span class="visually-hidden">${done ? ': done' : ': not yet'}</span>
      <span class="dim">${done ? told : place === at ? hint : nothing}</span></li>`)}</ol>
    ${!rig && refused ? html`<p class="remedy">Somebody was refused, ${format.moment(refused.at)}: ${outside(refused.message, 300)}</p>` : nothing}
    ${at < 0 ? html`<p class="good"><span aria-hidden="true">✓</span> It earns. The next one is as quick.</p>` : nothing}`;
}
