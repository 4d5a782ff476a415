// One worker: what it does, what it should do, and what is wrong with it.

import { html, nothing } from '../../vendor/lit-html.js';
import * as api from '../api.js';
import * as chart from '../figure.js';
import * as format from '../format.js';
import { rangeOf } from '../history.js';
import { actions, badge, empty, facts, outside, shares, tile } from '../parts.js';
import * as route from '../route.js';
import { STATES, VERDICTS, over, wasted } from '../words.js';
import { row } from './events.js';

const RIGS = 50;

export const title = ({ name }) => `Worker ${format.said(name, 48)}`;

export async function load({ params, memory, now, signal }) {
  const { name = '', route: of } = params;
  const worker = await api.get(api.path(`workers/${api.named(name)}`, { route: of }), { signal });
  // Whoever sees some workers alone sees neither the history nor the events.
  const orNone = (problem) => {
    if (problem.status === 403) return null;
    throw problem;
  };
  const [{ rigs, total }, figure, events] = await Promise.all([
    api.get(api.path('rigs', { worker: name, route: worker.route, limit: RIGS }), { signal }),
    chart.load(memory, { kind: 'worker', ofRoute: worker.route, name, range: rangeOf(params.range) }, now, signal).catch(orNone),
    memory.every(5, 'events', now, () =>
      api.get(api.path('events', { text: name, route: worker.route, limit: 20 }), { signal }).catch(orNone)),
  ]);
  return { worker, rigs, total, figure, events };
}

export function render({ worker, rigs, total, figure, events }, { params, ui }) {
  const lately = over(worker.hashrate, '10m');
  const daily = over(worker.hashrate, '24h');
  return html`
    <p class="lead">${badge(STATES, worker.state)} ${STATES[worker.state]?.why} On route
      <a href=${route.to('now', { route: worker.route })}>${worker.route}</a>.</p>
    ${actions(ui, ofWorker(worker, ui))}
    <dl class="tiles">
      ${tile('Accepted, 10 minutes', format.rate(lately?.accepted_hs), html`± ${format.rate(lately?.accepted_error_hs)}`)}
      ${tile('Its norm', format.rate(worker.norm_hs), { good: 'it does that', low: '▼ it does less than 70 % of it',
        unknown: 'not known well enough yet' }[worker.against_norm], worker.against_norm === 'low' ? 'warn' : '')}
      ${tile('Credited, 24 h', format.percent(daily?.credited_hs, daily?.accepted_hs), 'of what was accepted')}
      ${tile('Lost, 24 h', format.percent(wasted(daily), daily?.claimed_hs, 2), 'stale, refused, repeated or bad')}
      ${tile('Last share', format.ago(worker.last_share_age_s), `${format.count(worker.shares.sent)} sent since the start`)}
    </dl>
    ${wrong(rigs)}
    ${figure ? html`<section class="card">${chart.show(figure, {
      name: 'Its hashrate', view: 'worker', params, norm: { word: 'its norm', value: worker.norm_hs },
    })}</section>` : nothing}
    <section class="card"><h2>What became of its shares, since the start</h2>
      ${shares('Shares', (kind) => worker.shares[kind], (many) => format.many(many, 'share'))}
      ${explained(worker.shares)}
      ${facts([
        ['In flight', format.count(worker.shares.in_flight)], ['Blocks', format.count(worker.shares.blocks)],
        ['Best share', format.work(worker.shares.best_share_hashes)],
        ['Work credited', format.work(worker.shares.credited_hashes)],
        worker.shares.unchecked > 0 && ['Forwarded unchecked', format.count(worker.shares.unchecked)],
      ])}</section>
    <section class="card"><h2>Connections</h2>
      ${rigs.length ? rigs.map((rig) => connection(rig, ui)) : empty('No rig of it is connected.')}
      ${total > rigs.length ? html`<p class="dim">${format.count(total - rigs.length)} more are not shown.</p>` : nothing}</section>
    ${events ? html`<section class="card"><h2>Its last events</h2>
      ${events.events.length ? html`<ul class="events">${[...events.events].reverse().map((event) => row(event, events.started_at))}</ul>`
        : empty('Nothing was said of it lately.')}</section>` : nothing}`;
}

function wrong(rigs) {
  const told = rigs.filter(({ diagnosis }) => diagnosis);
  if (!told.length) return nothing;
  return html`<section class="card warn"><h2><span aria-hidden="true">▲</span> What may be wrong</h2>
    ${told.map(({ id, diagnosis, advice }) => html`<p><b>${outside(diagnosis, 240)}</b> <span class="dim">(${id})</span></p>
      ${advice ? html`<p class="remedy">What to do: ${outside(advice, 400)}</p>` : nothing}`)}</section>`;
}

const explained = (counts) => {
  const bad = VERDICTS.filter(({ key, tone }) => counts[key] > 0 && tone !== 'good' && tone !== 'calm');
  return bad.length ? html`<dl class="explained">${bad.map(({ key, word, why }) => html`
    <div><dt>${format.count(counts[key])} ${word}</dt><dd>${why}</dd></div>`)}</dl>` : nothing;
};

function connection(rig, ui) {
  return html`<article class="rig"><h3>${rig.id} ${badge(STATES, rig.state)}</h3>
    ${facts([
      ['From', rig.address], ['For', format.age(rig.connected_s)], ['Software', outside(rig.agent, 80)],
      ['Pool', rig.pool ?? 'waits for a place'],
      ['Difficulty', format.difficulty(rig.difficulty)],
      ['Accepted, 10 min', format.rate(over(rig.hashrate, '10m')?.accepted_hs)],
      ['Last share', format.ago(rig.last_share_age_s)],
      rig.alone ? ['Connection to the pool', 'its own'] : rig.slot !== null && ['Place', `${rig.slot} on connection ${rig.channel}`],
    ])}
    ${ui.mayAct ? actions(ui, ofRig(rig, ui)) : nothing}</article>`;
}

function ofRig(rig, ui) {
  const at = `rigs/${api.named(rig.id)}`;
  const who = html`<b>${rig.id}</b> (${outside(rig.worker, 48)})`;
  return [
    { word: 'Kick…', run: () => ui.ask({
      title: 'Kick this rig?', verb: 'Kick it',
      body: html`The connection of ${who} is closed. It may come back at once.`,
      run: () => api.act('POST', `${at}/kick`), done: `${rig.id} is being closed.`,
    }) },
    { word: 'Set difficulty…', run: () => ui.ask({
      title: 'Set the difficulty?', verb: 'Set it', input: { word: 'Difficulty', value: rig.difficulty ?? 1, min: 0, step: 'any' },
      body: html`${who} is told the nearest power of two with its next work, never more than the pool’s own, until it leaves.`,
      run: (difficulty) => api.act('POST', `${at}/difficulty`, { difficulty }), done: `${rig.id} will be told.`,
    }) },
    { word: 'Follow hashrate…', run: () => ui.ask({
      title: 'Have the difficulty follow the hashrate?', verb: 'Do so', body: html`${who} has a difficulty by its own rate again.`,
      run: () => api.act('POST', `${at}/difficulty`, { difficulty: null }), done: `${rig.id} follows its hashrate.`,
    }) },
  ];
}

function ofWorker({ name, route: of, rigs }, ui) {
  const at = (what) => api.path(`workers/${api.named(name)}${what}`, { route: of });
  const who = outside(name, 64);
  return [
    { word: 'Ban…', tone: 'danger', run: () => ui.ask({
      title: 'Ban this worker?', verb: 'Ban it', danger: true, input: { word: 'Minutes', value: 10, min: 1, max: 43200, step: 1 },
      body: html`Rigs that say ${who} first are refused, and those that are connected (${format.count(rigs)}) are closed.`,
      run: (minutes) => api.act('POST', at('/ban'), { minutes }), done: `${format.said(name, 48)} is refused.`,
    }) },
    { word: 'Let in again…', run: () => ui.ask({
      title: 'Let this worker in again?', verb: 'Let it in', body: html`${who} may come back, also where it was refused for what it sent.`,
      run: () => api.act('POST', at('/unban')), done: `${format.said(name, 48)} may come back.`,
    }) },
    rigs === 0 && { word: 'Forget…', tone: 'danger', run: () => ui.ask({
      title: 'Forget this worker?', verb: 'Forget it', danger: true,
      body: html`The books of ${who}, its difficulty and what was learnt of its firmware are lost.`,
      run: () => api.act('DELETE', at('')), done: `${format.said(name, 48)} is forgotten.`,
    }) },
  ];
}
