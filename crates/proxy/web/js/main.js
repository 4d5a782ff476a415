// The page: which view is seen, what it is given, and how it is with the proxy.

import { html, render, nothing } from '../vendor/lit-html.js';
import * as api from './api.js';
import { askToken, confirm, refusal } from './dialog.js';
import * as format from './format.js';
import { Memory } from './memory.js';
import { Pace } from './pace.js';
import * as route from './route.js';
import * as theme from './theme.js';
import * as about from './views/about.js';
import * as connect from './views/connect.js';
import * as events from './views/events.js';
import * as now from './views/now.js';
import * as pools from './views/pools.js';
import * as rigs from './views/rigs.js';
import * as worker from './views/worker.js';

const VIEWS = { now, rigs, worker, pools, events, connect, about };
const MENU = [['now', 'Now'], ['rigs', 'Rigs'], ['pools', 'Pools'], ['events', 'Events'], ['connect', 'Connect'], ['about', 'About']];
/** How long a notice is shown. */
const NOTICE = 6000;

const memory = new Memory();
const pace = new Pace();
/** Where one is, and what is known there; `problem` is why nothing more is. */
const here = { view: 'now', params: {}, data: null, problem: null, asking: null };
const ui = {
  get mayAct() { return api.token.get() !== null; },
  /** What views keep beyond their data. */
  kept: {},
  question: null,
  notice: '',
  ask(question) { open({ ...question, form: confirm }); },
  askToken() { open({ form: askToken }); },
  say(text) {
    clearTimeout(ui.forgetting);
    ui.notice = text;
    ui.forgetting = setTimeout(() => { ui.notice = ''; draw(); }, NOTICE);
    draw();
  },
};

function go(view, params) {
  history.replaceState(null, '', route.to(view, params));
  arrive();
}

/** A new address: another view has nothing yet, the same one keeps what it shows until there is more. */
function arrive() {
  const { view, params } = route.read(location.hash);
  const known = Object.hasOwn(VIEWS, view) ? view : 'now';
  const other = known !== here.view || (known === 'worker' && params.name !== here.params.name);
  here.asking?.abort();
  Object.assign(here, { view: known, params, asking: null, problem: null });
  if (other) here.data = null;
  memory.forget();
  pace.hurry(Date.now());
  document.title = `${VIEWS[known].title(params)} – Orepass`;
  draw();
  if (other) {
    document.querySelector('h1')?.focus();
    scrollTo(0, 0);
  }
  tick();
}

/** Looks whether it is time to ask, four times a second; nobody asks for a page that is not seen. */
async function tick() {
  const at = Date.now();
  if (here.asking || document.hidden || at < pace.due) return;
  const asking = here.asking = new AbortController();
  const wasLost = pace.lostSince !== null;
  try {
    const { view, params } = here;
    const data = await VIEWS[view].load({ params, memory, now: at, signal: asking.signal });
    if (here.asking !== asking) return;
    Object.assign(here, { data, problem: null });
    pace.succeeded(Date.now());
    if (wasLost) memory.forget();
  } catch (problem) {
    if (here.asking !== asking) return;
    asking.abort();
    missed(problem);
  }
  here.asking = null;
  draw();
}

function missed(problem) {
  pace.failed(Date.now(), Math.random());
  if (problem instanceof api.ApiProblem && problem.status < 500) {
    // It has answered; that it was no is a matter of what was asked.
    pace.lostSince = null;
    here.data = null;
  } else if (!(problem instanceof api.ApiProblem || problem instanceof api.Unreachable)) {
    console.error(problem);
  }
  here.problem = problem;
}

function open(question) {
  ui.question = question;
  draw();
  document.querySelector('dialog').showModal();
}

const answers = {
  close() {
    ui.question = null;
    const dialog = document.querySelector('dialog');
    if (dialog?.open) dialog.close();
    draw();
  },
  busy(is) {
    ui.question = { ...ui.question, busy: is, problem: null };
    draw();
  },
  failed(problem) {
    if (ui.question) ui.question = { ...ui.question, busy: false, problem };
    draw();
  },
  done(text) {
    answers.close();
    ui.say(text);
    memory.forget();
    pace.hurry(Date.now());
  },
};

function logOut() {
  api.token.forget();
  memory.forget();
  pace.hurry(Date.now());
  ui.say('The token is forgotten.');
}

function draw() {
  const { view, params } = here;
  render(html`
    <a class="skip" href="#main" @click=${skip}>To the content</a>
    <header>
      <a class="brand" href="#/now"><img src="icon.svg" alt="" width="22" height="22"> Orepass</a>
      <nav aria-label="Views">${MENU.map(([name, word]) => html`<a href=${route.to(name)}
        aria-current=${name === view || (name === 'rigs' && view === 'worker') ? 'page' : nothing}>${word}</a>`)}</nav>
      <div class="state">
        ${pulse()}
        <button type="button" class="small" @click=${() => { theme.turn(); draw(); }}>${theme.word()}</button>
        ${ui.mayAct ? html`<button type="button" class="small" @click=${logOut}>Forget token</button>`
          : html`<button type="button" class="small" @click=${() => ui.askToken()}>Token</button>`}
      </div>
    </header>
    ${lost()}
    <main id="main" data-view=${view} aria-busy=${here.data === null && here.problem === null} class=${pace.lostSince !== null && here.data ? 'old' : ''}>
      <h1 tabindex="-1">${VIEWS[view].title(params)}</h1>${content()}</main>
    <div class="notice" role="status">${ui.notice ? html`<p>${ui.notice}</p>` : nothing}</div>
    ${ui.question ? ui.question.form(ui.question, answers) : nothing}`, document.getElementById('page'));
}

/** The address behind the `#` is the view's. */
function skip(event) {
  event.preventDefault();
  document.querySelector('h1').focus();
}

const pulse = () => {
  const [tone, sign, word] = pace.lostSince !== null ? ['bad', '✕', 'Lost']
    : here.problem ? ['warn', '▲', 'Refused'] : here.data ? ['good', '●', 'Live'] : ['off', '◌', 'Loading'];
  return html`<span class="badge ${tone}" role="status"><span aria-hidden="true">${sign}</span> ${word}</span>`;
};

function lost() {
  if (pace.lostSince === null) return nothing;
  const answered = here.problem instanceof api.ApiProblem;
  return html`<section class="lost" aria-label="Connection"><p role="alert"><span aria-hidden="true">✕</span>
      ${answered ? html`The proxy answers that it cannot: ${here.problem.message}.` : 'The proxy does not answer.'}
      ${here.data ? 'What is shown is old.' : nothing}</p>
    <p>For ${format.age((Date.now() - pace.lostSince) / 1000)}; asked again in
      ${format.age(Math.max(0, pace.due - Date.now()) / 1000)}.
      <button type="button" class="small" @click=${() => { pace.hurry(Date.now()); tick(); }}>Ask now</button></p></section>`;
}

function content() {
  const { view, params, data, problem } = here;
  if (data) return VIEWS[view].render(data, { params, ui, go });
  if (problem instanceof api.ApiProblem && problem.status === 401) {
    return html`<section class="card"><h2>A token is needed to look</h2>${refusal(problem)}
      <button type="button" class="main" @click=${() => ui.askToken()}>Enter a token</button></section>`;
  }
  if (problem && pace.lostSince === null) {
    return html`<section class="card"><h2>${problem.title || 'That cannot be shown'}</h2>${refusal(problem)}
      <p><a href="#/now">All at a glance</a>, <a href="#/rigs">rigs</a></p></section>`;
  }
  return html`<p class="empty loading">${problem ? 'Nothing is known yet.' : 'Loading…'}</p>`;
}

addEventListener('hashchange', arrive);
document.addEventListener('visibilitychange', tick);
setInterval(() => {
  if (pace.lostSince !== null && !document.hidden) draw();
  tick();
}, 250);
theme.apply();
document.title = 'Orepass';
here.view = '';
arrive();
