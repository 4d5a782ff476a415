// All at a glance, one route at a time: coins have rates that cannot be added.

import { html, nothing } from '../../vendor/lit-html.js';
import * as api from '../api.js';
import * as chart from '../figure.js';
import { counts, sum } from '../farm.js';
import * as format from '../format.js';
import { rangeOf } from '../history.js';
import { badge, choice, empty, gauge, inCode, link, outside, shares, tile, workerLink } from '../parts.js';
import * as route from '../route.js';
import { HEALTHS, SEVERITIES, over, wasted } from '../words.js';

export const title = () => 'Now';

export async function load({ params, memory, now, signal }) {
  const [summary, { diagnostics }] = await Promise.all([
    api.get('summary', { signal }),
    memory.every(2, 'diagnostics', now, () => api.get('diagnostics', { signal })),
  ]);
  const shown = summary.routes.find(({ name }) => name === params.route) ?? summary.routes[0];
  if (!shown) return { summary, diagnostics };
  const [workers, figure] = await Promise.all([
    counts(memory, { route: shown.name }, now, signal),
    chart.load(memory, { kind: 'route', ofRoute: shown.name, range: rangeOf(params.range) }, now, signal),
  ]);
  return { summary, diagnostics, shown, workers, figure };
}

export function render({ summary, diagnostics, shown, workers, figure }, { params }) {
  if (!shown) {
    return html`${empty('There is no route yet.', html`Add a <code>[[route]]</code> to the config, and
      reload it.`)}${needs(diagnostics)}`;
  }
  const here = diagnostics.filter(({ route: of }) => !of || of === shown.name);
  const tabs = summary.routes.map(({ name, dialect }) =>
    ({ value: name, word: `${name} (${dialect})`, href: route.to('now', { ...params, route: name, event: '' }) }));
  const lately = over(shown.hashrate, '10m');
  const daily = over(shown.hashrate, '24h');
  return html`
    ${summary.routes.length > 1 ? choice('Route', tabs, shown.name) : nothing}
    ${sentence(shown, workers, lately)}
    ${tiles(shown, workers, lately, daily)}
    <div class="beside">${needs(here)}<div>
    <section class="card">${chart.show(figure, {
      name: `Hashrate of ${shown.name}`, view: 'now', params,
      norm: { word: 'average of a day', value: daily?.accepted_hs },
    })}</section>
    <section class="card"><h2>Where every hash went, 24 hours</h2>
      ${shares('Work claimed in 24 hours', (kind) => daily?.kinds_hs[kind], format.rate)}</section>
    ${pools(shown)}</div></div>`;
}

const active = ({ pools: all }) => all.filter(({ rigs }) => rigs > 0);

function sentence(shown, workers, lately) {
  const known = sum(workers);
  const { online } = workers;
  const rest = known - online;
  const at = active(shown).map(({ name }) => name).join(' and ');
  if (shown.gate !== 'open') {
    return html`<p class="sentence bad"><span aria-hidden="true">✕</span> No pool serves ${shown.name}:
      ${format.many(shown.rigs, 'rig')} ${shown.gate === 'hold' ? 'held' : 'let go to their own backup'}.</p>`;
  }
  if (known === 0) {
    return html`<p class="sentence">No rig has come to ${shown.name} yet.
      <a href=${route.to('connect', { route: shown.name })}>Connect the first</a></p>`;
  }
  return html`<p class="sentence ${rest ? 'warn' : 'good'}">
    <span aria-hidden="true">${rest ? '▲' : '●'}</span>
    ${format.count(online)} of ${format.count(known)} workers earn ${format.rate(lately?.accepted_hs)}${at ? ` at ${at}` : ''}${rest
      ? html`; <a href=${worst(shown, workers)}>${format.count(rest)} ${rest === 1 ? 'needs' : 'need'} you</a>.` : '.'}</p>`;
}

const ofState = (shown, state) => route.to('rigs', { route: shown.name, state });

const worst = (shown, workers) => ofState(shown, ['quarantined', 'silent', 'offline'].find((state) => workers[state]));

function tiles(shown, workers, lately, daily) {
  const { online } = workers;
  const best = active(shown)[0] ?? shown.pools[0];
  const credited = daily?.accepted_hs > 0 ? daily.credited_error_hs / daily.accepted_hs : NaN;
  const waste = wasted(daily);
  return html`<dl class="tiles">
    ${tile('Accepted, 10 minutes', format.rate(lately?.accepted_hs), html`± ${format.rate(lately?.accepted_error_hs)};
      ${format.percent(lately?.accepted_hs, daily?.accepted_hs, 0)} of the day’s average`)}
    ${tile('Credited by pools, 24 h', format.percent(daily?.credited_hs, daily?.accepted_hs),
      credited >= 0 ? `± ${format.percent(credited, 1)} of what was accepted` : 'nothing was accepted yet')}
    ${tile('Lost, 24 h', format.percent(waste, daily?.claimed_hs, 2),
      'stale, refused, repeated or bad', waste > 0.02 * daily?.claimed_hs ? 'warn' : '')}
    ${tile('Workers online', html`${format.count(online)}<small> of ${format.count(sum(workers))}</small>`,
      html`${['silent', 'quarantined', 'offline'].map((state, at) =>
        html`${at ? ', ' : ''}<a href=${ofState(shown, state)}>${workers[state]} ${state}</a>`)}`, sum(workers) > online ? 'warn' : '')}
    ${best ? tile('Pool', best.name, html`${badge(HEALTHS, best.health)} ${best.job_age_s === null ? 'no job yet' : `job ${format.age(best.job_age_s)} old`}`,
      best.health === 'serves' ? '' : 'bad') : nothing}
  </dl>`;
}

const NAMES_SHOWN = 6;

function needs(diagnostics) {
  const urgent = diagnostics.filter(({ severity }) => severity !== 'info').length;
  return html`<section class="card"><h2>Needs attention <span class="dim">${format.count(urgent)}</span></h2>
    ${diagnostics.length ? html`<ul class="needs">${diagnostics.map(need)}</ul>`
      : empty('Nothing needs you.')}</section>`;
}

function need({ code, severity, age_s, route: of, subject, meaning, detail, count: many, named, remedy, link: where }) {
  const people = code.startsWith('rigs_') || code.startsWith('workers_') || code === 'rate_low';
  return html`<li class=${severity}>
    <p>${badge(SEVERITIES, severity)} <b>${meaning}</b> <span class="dim">${[of, subject].filter(Boolean).join(', ')};
      for ${format.age(age_s)}</span></p>
    ${people && many === 1 ? nothing : html`<p>${outside(detail, 240)}</p>`}
    ${people && named.length ? html`<p class="named">${named.slice(0, NAMES_SHOWN).map((name) =>
      personLink(code, name, of))}${many > NAMES_SHOWN ? html` and ${format.count(many - NAMES_SHOWN)} more` : nothing}</p>` : nothing}
    <p class="remedy">What to do: ${inCode(remedy)}. ${where ? link(where, 'More about this') : nothing}</p>
  </li>`;
}

/** Behind a worker's name may stand its rates; a rig that has not said its name is named by its address. */
function personLink(code, name, of) {
  if (/^(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):\d+$/i.test(name)) return html`<code>${name}</code> `;
  const rates = code === 'rate_low' ? /^(.*) (\([^()]* of [^()]*\))$/s.exec(name) : null;
  return html`<span>${workerLink(rates ? rates[1] : name, of)}${rates ? ` ${rates[2]}` : ''}</span> `;
}

function pools(shown) {
  return html`<section class="card"><h2>Pools and their connections</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Pools and their connections"><table>
      <thead><tr><th scope="col">Pool</th><th scope="col">State</th><th scope="col" class="number">Rigs</th>
        <th scope="col" class="number">Credited, 1 h</th><th scope="col">Places taken</th></tr></thead>
      <tbody>${shown.pools.map((pool) => {
        const own = shown.channels.filter((channel) => channel.pool === pool.name && !channel.dedicated);
        const [used, total] = ['leases_used', 'leases_total'].map((key) =>
          own.reduce((whole, channel) => whole + channel[key], 0));
        return html`<tr>
          <th scope="row"><a href=${route.to('pools', { route: shown.name })}>${pool.name}</a></th>
          <td>${badge(HEALTHS, pool.health)}</td>
          <td class="number">${format.count(pool.rigs)}</td>
          <td class="number">${format.rate(over(pool.hashrate, '1h')?.credited_hs)}</td>
          <td>${total ? gauge(`Places at ${pool.name}`, used, total) : '–'}</td></tr>`;
      })}</tbody></table></div></section>`;
}
