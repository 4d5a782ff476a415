// The pools of each route: how they are, what they were given and what they credited.

import { html, nothing } from '../../vendor/lit-html.js';
import * as api from '../api.js';
import * as format from '../format.js';
import { actions, badge, choice, empty, facts, gauge, shares } from '../parts.js';
import * as route from '../route.js';
import { CHANNELS, HEALTHS, VERDICTS, over } from '../words.js';

export const title = () => 'Pools';

export const load = ({ signal }) => api.get('summary', { signal });

export function render({ routes }, { params, ui }) {
  if (!routes.length) return empty('There is no route yet.');
  const shown = params.route ? routes.filter(({ name }) => name === params.route) : routes;
  const tabs = [{ value: '', word: 'all routes', href: route.to('pools') },
    ...routes.map(({ name }) => ({ value: name, word: name, href: route.to('pools', { route: name }) }))];
  return html`${routes.length > 1 ? choice('Route', tabs, params.route ?? '') : nothing}
    ${ui.mayAct ? nothing : actions(ui, [])}
    ${shown.map((of) => html`<section><h2>${of.name} <span class="dim">${of.dialect}</span></h2>
      ${of.gate === 'open' ? nothing : html`<p class="sentence bad"><span aria-hidden="true">✕</span>
        No pool serves: the rigs ${of.gate === 'hold' ? 'are held' : 'are let go to their own backup'}.</p>`}
      ${of.pools.map((pool) => one(pool, of, ui))}</section>`)}`;
}

function one(pool, of, ui) {
  const hour = over(pool.hashrate, '1h');
  const proven = of.pools.reduce((sum, other) => sum + (over(other.hashrate, '1h')?.accepted_hs ?? 0), 0);
  const preferred = of.preferred_pool === pool.name;
  const channels = of.channels.filter((channel) => channel.pool === pool.name);
  return html`<article class="card ${pool.health === 'down' ? 'bad' : ''}">
    <div class="row"><h3>${pool.name} ${badge(HEALTHS, pool.health)}
      ${preferred ? html`<span class="badge calm"><span aria-hidden="true">★</span> preferred by you</span>` : nothing}</h3>
      ${ui.mayAct ? actions(ui, [button(pool, of, preferred, ui)]) : nothing}</div>
    ${pool.cause ? html`<p>${pool.health === 'serves' ? 'It said' : 'Why'}: ${format.said(pool.cause, 240)}</p>` : nothing}
    ${facts([
      ['Server', html`${pool.server} ${pool.tls ? '(TLS)' : '(no TLS)'}`], ['So for', format.age(pool.health_s)],
      ['Rank and weight', `${pool.rank} and ${pool.weight}`], ['Rigs', format.count(pool.rigs)],
      ['Last job', format.ago(pool.job_age_s)],
      ['Part of the work', html`${format.percent(hour?.accepted_hs, proven)} in an hour; wanted ${format.percent(pool.share_wanted, 1)}`],
      ['Accepted, 1 h', format.rate(hour?.accepted_hs)],
      ['Credited, 1 h', html`${format.rate(hour?.credited_hs)} ± ${format.rate(hour?.credited_error_hs)}`],
      ['Refused', format.percent(pool.shares.rejected_by_pool, pool.shares.rejected_by_pool + pool.shares.accepted_by_pool, 2)],
      ['Blocks', format.count(pool.shares.blocks)],
    ])}
    ${shares(`Shares for ${pool.name}`, (kind) => pool.shares[kind], (many) => format.many(many, 'share'))}
    ${pool.rejections.length ? rejections(pool) : nothing}
    ${channels.length ? connections(pool, channels) : html`<p class="dim">No connection to it at the moment.</p>`}</article>`;
}

function button(pool, of, preferred, ui) {
  const run = (wanted) => () => api.act('POST', `pools/${api.named(pool.name)}/switch`, { route: of.name, preferred: wanted });
  if (preferred) {
    return { word: 'Back to the config’s order…', run: () => ui.ask({
      title: 'Back to the config’s order?', verb: 'Go back', body: html`Route <b>${of.name}</b> prefers <b>${pool.name}</b> no more.`,
      run: run(false), done: 'The config’s order holds again.',
    }) };
  }
  return { word: 'Prefer…', run: () => ui.ask({
    title: 'Prefer this pool?', verb: 'Prefer it',
    body: html`The rigs of route <b>${of.name}</b> go to <b>${pool.name}</b> as long as it serves, until the config is read again.`,
    run: run(true), done: `${pool.name} is preferred.`,
  }) };
}

const rejections = (pool) => html`
  <details><summary>Why it did not credit shares</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Reasons of ${pool.name}"><table>
      <thead><tr><th scope="col">What it says</th><th scope="col">Counted as</th>
        <th scope="col" class="number">Shares</th><th scope="col" class="number">Work</th></tr></thead>
      <tbody>${pool.rejections.map((one) => html`<tr><th scope="row">${format.said(one.reason, 120)}</th>
        <td>${VERDICTS.find(({ key }) => key === one.kind)?.word ?? one.kind}</td><td class="number">${format.count(one.shares)}</td>
        <td class="number">${format.work(one.work_hashes)}</td></tr>`)}</tbody>
    </table></div></details>`;

const connections = (pool, channels) => html`
  <details ?open=${channels.length <= 4}><summary>${format.many(channels.length, 'connection')}</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Connections to ${pool.name}"><table>
      <thead><tr><th scope="col">No.</th><th scope="col">State</th><th scope="col">Places taken</th>
        <th scope="col">Extranonce1</th><th scope="col" class="number">Newest job</th></tr></thead>
      <tbody>${channels.slice(0, 100).map((channel) => html`<tr>
        <th scope="row">${channel.id}</th><td>${badge(CHANNELS, channel.state)}</td>
        <td>${channel.dedicated ? 'one rig’s own' : gauge(`Places on connection ${channel.id}`, channel.leases_used, channel.leases_total)}</td>
        <td><code>${channel.extranonce1 ?? '–'}</code></td><td class="number">${format.ago(channel.job_age_s)}</td></tr>`)}</tbody>
    </table></div></details>`;
