// The table of workers. The proxy sorts, searches and pages, so ten thousand are as quick as ten.

import { html, nothing } from '../../vendor/lit-html.js';
import * as api from '../api.js';
import { counts, routeNames, sum } from '../farm.js';
import * as format from '../format.js';
import { badge, choice, empty, outside, routeChoice, searchBox, workerLink } from '../parts.js';
import * as route from '../route.js';
import { STATES, VERDICTS, WINDOWS, over, wasted } from '../words.js';

const PAGE = 50;

export const title = () => 'Rigs';

const asked = ({ state, route: of, search, sort }) => ({ state, route: of, search, sort: sort || 'name' });

export async function load({ params, memory, now, signal }) {
  const offset = Math.max(0, Number.parseInt(params.offset, 10) || 0);
  const [list, states, routes] = await Promise.all([
    api.get(api.path('workers', { ...asked(params), offset, limit: PAGE }), { signal }),
    counts(memory, { route: params.route, search: params.search }, now, signal),
    routeNames(memory, now, signal),
  ]);
  const key = JSON.stringify(params);
  shown = { key, list: shown.key === key && pointedAt() ? inOrder(list, shown.list) : list };
  return { list: shown.list, states, routes };
}

let shown = { key: '', list: null };

/** A row does not run away from whoever is about to choose it. */
const pointedAt = () => document.querySelector('.rigs tbody:hover, .rigs tbody:focus-within') !== null;

function inOrder(list, before) {
  const key = ({ route: of, name }) => JSON.stringify([of, name]);
  const fresh = new Map(list.workers.map((worker) => [key(worker), worker]));
  return { ...list, workers: before.workers.map((worker) => fresh.get(key(worker)) ?? worker) };
}

const rateOf = (column) => {
  const [, kind, window] = /^(claimed|accepted|credited)_(1m|10m|1h|24h)_hs$/.exec(column) ?? [];
  return window && ((worker) => over(worker.hashrate, window)?.[`${kind}_hs`]);
};

/** The columns shown: by what they are sorted, and what stands in them. */
const COLUMNS = [
  { by: 'state', word: 'State', cell: ({ state }) => badge(STATES, state) },
  { by: 'name', word: 'Worker', cell: ({ name, route: of }) => workerLink(name, of), head: true },
  { by: 'route', word: 'Route', cell: ({ route: of }) => of, wide: true },
  { by: 'accepted_10m_hs', word: 'Accepted, 10 min', number: true,
    cell: (worker) => format.rate(rateOf('accepted_10m_hs')(worker)) },
  { by: 'norm_hs', word: 'Of its norm', number: true, wide: true, cell: ofNorm },
  { by: 'credited_24h_hs', word: 'Credited, 24 h', number: true, wide: true,
    cell: (worker) => format.rate(rateOf('credited_24h_hs')(worker)) },
  { word: 'Lost, 24 h', number: true, wide: true, cell: (worker) => {
    const daily = over(worker.hashrate, '24h');
    return format.percent(wasted(daily), daily?.claimed_hs, 1);
  } },
  { by: 'last_share_age_s', word: 'Last share', number: true, cell: ({ last_share_age_s: at }) => format.ago(at) },
  { by: 'rigs', word: 'Rigs', number: true, wide: true, cell: ({ rigs }) => format.count(rigs) },
  { word: 'Software', wide: true, cell: ({ agents }) => agents.length
    ? html`<span class="clipped">${agents.map((agent, at) => html`${at ? ', ' : ''}${outside(agent, 40)}`)}</span>` : '–' },
];

function ofNorm({ norm_hs: norm, against_norm: against, hashrate }) {
  if (!(norm > 0)) return '–';
  const part = format.percent(over(hashrate, '10m')?.accepted_hs, norm, 0);
  return against === 'low' ? html`<span class="badge warn"><span aria-hidden="true">▼</span> ${part} low</span>` : part;
}

/** All that the proxy sorts by. */
const ORDERS = [
  ['name', 'name'], ['route', 'route'], ['state', 'state'], ['rigs', 'rigs'],
  ['last_share_age_s', 'age of the last share'], ['norm_hs', 'norm'],
  ...['claimed', 'accepted', 'credited'].flatMap((kind) =>
    Object.keys(WINDOWS).map((window) => [`${kind}_${window}_hs`, `${kind}, ${window}`])),
  ['sent', 'shares sent'], ['in_flight', 'shares in flight'],
  ...VERDICTS.map(({ key, word }) => [key, `shares ${word}`]),
  ['blocks', 'blocks'], ['best_share_hashes', 'best share'], ['credited_hashes', 'work credited'],
];

export function render({ list, states, routes }, { params, ui, go }) {
  const turn = (changed) => go('rigs', { ...params, offset: '', ...changed });
  const chips = [{ value: '', word: 'all', many: sum(states) }, ...Object.entries(STATES).map(([value, { word, sign }]) =>
    ({ value, word: html`<span aria-hidden="true">${sign}</span> ${word}`, many: states[value] }))];
  return html`
    <div class="tools">
      ${searchBox('Search', params.search, 'part of a name', (search) => turn({ search }))}
      ${routeChoice(routes, params.route, (of) => turn({ route: of }))}
      <label>Sort by ${order(params, turn)}</label>
      <button type="button" @click=${() => table(params, ui)}>CSV</button>
    </div>
    ${choice('State', chips.map(({ value, word, many }) => ({
      value, word: html`${word} <b>${format.count(many)}</b>`, href: route.to('rigs', { ...params, offset: '', state: value }),
    })), params.state ?? '')}
    ${list.workers.length ? rows(list, params) : empty('No worker is like that.', sum(states) || params.search || params.state
      ? html`<a href="#/rigs">Show all</a>` : html`<a href="#/connect">Connect the first rig</a>`)}
    ${pager(list, params)}`;
}

const parted = (sort = 'name') => ({ by: sort.replace(/^-/, ''), down: sort.startsWith('-') });

function order(params, turn) {
  const { by, down } = parted(params.sort || 'name');
  return html`<select @change=${(event) => turn({ sort: event.target.value })}>
    ${ORDERS.map(([value, word]) => html`<option value=${value} ?selected=${value === by}>${word}</option>`)}</select>
    <button type="button" aria-label=${down ? 'Largest first; turn round' : 'Smallest first; turn round'}
      @click=${() => turn({ sort: down ? by : `-${by}` })}>${down ? '▼' : '▲'}</button>`;
}

function rows({ workers }, params) {
  const { by, down } = parted(params.sort || 'name');
  // What it is sorted by is always seen.
  const columns = COLUMNS.some((column) => column.by === by) ? COLUMNS : [...COLUMNS, extra(by)];
  return html`<div class="scroll rigs" tabindex="0" role="region" aria-label="Workers"><table>
    <thead><tr>${columns.map((column) => html`<th scope="col" class=${classes(column)}
      aria-sort=${column.by === by ? (down ? 'descending' : 'ascending') : nothing}>${column.by
        ? html`<a href=${route.to('rigs', { ...params, offset: '', sort: column.by === by && !down ? `-${by}` : column.by })}
          >${column.word}<span class="order" aria-hidden="true">${column.by === by ? (down ? '▼' : '▲') : ''}</span></a>`
        : column.word}</th>`)}</tr></thead>
    <tbody>${workers.map((worker) => html`<tr>${columns.map((column) => column.head
      ? html`<th scope="row" class=${classes(column)}>${column.cell(worker)}</th>`
      : html`<td class=${classes(column)}>${column.cell(worker)}</td>`)}</tr>`)}</tbody></table></div>`;
}

const classes = ({ number, wide, head }) => [number && 'number', wide && 'wide', head && 'name'].filter(Boolean).join(' ');

function extra(by) {
  const word = ORDERS.find(([value]) => value === by)?.[1] ?? by;
  const rate = rateOf(by);
  const cell = (worker) => {
    if (rate) return format.rate(rate(worker));
    const value = worker.shares[by];
    return by.endsWith('_hashes') ? format.work(value) : format.count(value);
  };
  return { by, word, number: true, cell };
}

function pager({ total, offset, workers }, params) {
  if (total <= PAGE && offset === 0) return nothing;
  const last = Math.floor((total - 1) / PAGE) * PAGE;
  const page = (at, word, possible) => possible
    ? html`<a class="chip" href=${route.to('rigs', { ...params, offset: at || '' })}>${word}</a>`
    : html`<span class="chip off" aria-hidden="true">${word}</span>`;
  return html`<nav class="pager" aria-label="Pages">
    ${page(0, 'First', offset > 0)} ${page(Math.max(0, offset - PAGE), 'Previous', offset > 0)}
    <span>${format.count(Math.min(total, offset + 1))} – ${format.count(offset + workers.length)} of ${format.count(total)}</span>
    ${page(offset + PAGE, 'Next', offset + PAGE < total)} ${page(last, 'Last', offset < last)}</nav>`;
}

/** Fetched, since a link would not carry the token. */
async function table(params, ui) {
  try {
    const text = await api.get(api.path('workers', { ...asked(params), format: 'csv' }), { as: 'blob' });
    const anchor = document.createElement('a');
    anchor.href = URL.createObjectURL(text);
    anchor.download = 'workers.csv';
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
  } catch (problem) {
    ui.say(problem.message);
  }
}
