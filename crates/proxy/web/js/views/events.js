// What has happened, the newest first, as it happens.

import { html, nothing } from '../../vendor/lit-html.js';
import * as api from '../api.js';
import * as format from '../format.js';
import { badge, choice, empty, outside, routeChoice, searchBox, workerLink } from '../parts.js';
import { routeNames } from '../farm.js';
import * as route from '../route.js';
import { LEVELS } from '../words.js';

/** So many are asked for at a time, and kept. */
const AT_ONCE = 200;
const KEPT = 500;
/** Of what happened before and after the one that is looked at. */
const AROUND = 40;

const KINDS = [['', 'all'], ['pool.', 'pools'], ['rig.', 'rigs'], ['share.', 'shares'], ['diagnostic.', 'alerts'],
  ['reload', 'config'], ['api.', 'operators']];

export const title = () => 'Events';

const seen = { key: '', run: '', events: [] };

export async function load({ params, memory, now, signal }) {
  const { level, route: of, id, text } = params;
  const query = { level, route: of, id, text };
  const at = Number.parseInt(params.at, 10);
  const known = { routes: await routeNames(memory, now, signal) };
  if (at > 0) {
    const list = await api.get(api.path('events', { ...query, after: Math.max(0, at - AROUND), limit: 2 * AROUND }), { signal });
    return { ...known, at, run: list.started_at, events: [...list.events].reverse() };
  }
  const key = JSON.stringify(query);
  const same = key === seen.key && seen.events.length > 0;
  const after = same ? seen.events[0].sequence : undefined;
  let list = await api.get(api.path('events', { ...query, after, limit: AT_ONCE }), { signal });
  const restarted = list.started_at !== seen.run;
  if (same && restarted) list = await api.get(api.path('events', { ...query, limit: AT_ONCE }), { signal });
  const before = same && !restarted ? seen.events : [];
  const events = [...[...list.events].reverse(), ...before].slice(0, KEPT);
  Object.assign(seen, { key, run: list.started_at, events });
  return { ...known, run: list.started_at, events };
}

export function render({ events, at, run, routes }, { params, go }) {
  const turn = (changed) => go('events', { ...params, ...changed });
  const other = at && params.run && params.run !== run;
  return html`
    <div class="tools">
      ${searchBox('Text', params.text, 'worker, pool, words', (text) => turn({ text }))}
      <label>Level <select @change=${(event) => turn({ level: event.target.value })}>
        ${[['', 'all'], ['warn', 'warnings and errors'], ['error', 'errors']].map(([value, word]) =>
          html`<option value=${value} ?selected=${value === (params.level ?? '')}>${word}</option>`)}</select></label>
      ${routeChoice(routes, params.route, (of) => turn({ route: of }))}
    </div>
    ${choice('Kind', KINDS.map(([value, word]) => ({ value, word, href: route.to('events', { ...params, id: value }) })), params.id ?? '')}
    ${at ? html`<p class="lead">${other ? html`<b>That event was of an earlier run of the proxy; its number is another’s now.</b>`
      : events.some(({ sequence }) => sequence === at) ? html`Around event ${at}.` : html`Event ${at} is not kept any more.`}
      <a href=${route.to('events', { ...params, at: '', run: '' })}>Back to what happens now</a></p>` : nothing}
    ${events.length ? html`<ul class="events">${events.map((event) => row(event, run, !other && event.sequence === at))}</ul>`
      : empty('Nothing of that kind has happened.')}`;
}

export function row(event, run, chosen = false) {
  const { sequence, at, level, id, message, route: of, pool, rig, worker, fields } = event;
  const who = worker ?? rig;
  const more = Object.entries(fields ?? {});
  return html`<li class="event ${level} ${chosen ? 'chosen' : ''}" aria-current=${chosen ? 'true' : nothing}>
    <a class="when" href=${route.event(sequence, run)} title="A link to this event">
      <time datetime=${at}>${format.moment(at)}</time></a>
    ${badge(LEVELS, level)} <code>${id}</code>
    <span class="what">${outside(message, 300)}</span>
    <span class="whom">${of ? html`<a href=${route.to('now', { route: of, event: id.startsWith('rig.') ? '' : sequence })}
      title="Show it in the chart">${of}</a>` : nothing}
      ${pool ? html` · <a href=${route.to('pools', { route: of })}>${outside(pool, 40)}</a>` : nothing}
      ${who ? html` · ${workerLink(who, of)}` : nothing}</span>
    ${more.length ? html`<details><summary>More</summary><dl class="facts">${more.map(([name, value]) => html`
      <div><dt>${name}</dt><dd>${outside(value, 300)}</dd></div>`)}</dl></details>` : nothing}
  </li>`;
}
