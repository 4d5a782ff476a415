// Pieces that several views are made of. Texts of rigs go only through bindings of texts.

import { html, svg, nothing } from '../vendor/lit-html.js';
import * as format from './format.js';
import * as route from './route.js';
import { VERDICTS, wordOf } from './words.js';

/** A sign with its word: colour is never the only sign. */
export const badge = (words, name) => {
  const { sign, tone, word, why } = wordOf(words, name);
  return html`<span class="badge ${tone}" title=${why ?? nothing}
    ><span aria-hidden="true">${sign}</span> <span class="word">${word}</span></span>`;
};

/** A text from outside, whichever way it runs. */
export const outside = (text, longest) => {
  const shown = format.said(text, longest);
  return html`<bdi class="outside" title=${shown.endsWith('…') ? format.said(text, 1000) : nothing}
    >${shown}</bdi>`;
};

export const workerLink = (name, ofRoute) =>
  html`<a href=${route.worker(name, ofRoute)}>${outside(name, 48)}</a>`;

/** A moment, as how long ago it was; the moment itself at a second look. */
export const since = (text, now) =>
  html`<time datetime=${text} title=${format.moment(text)}
    >${format.ago((now - new Date(text)) / 1000)}</time>`;

export const tile = (name, value, below, tone = '') => html`
  <div class="tile ${tone}">
    <dt>${name}</dt>
    <dd><strong>${value}</strong><span class="below">${below}</span></dd>
  </div>`;

export const facts = (pairs) => html`
  <dl class="facts">${pairs.filter(Boolean).map(([name, value]) => html`
    <div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** Where all of something went: one bar, and the same in words. */
export function shares(name, of, show) {
  const parts = VERDICTS.map((verdict) => ({ ...verdict, part: of(verdict.key) ?? 0 }));
  const whole = parts.reduce((sum, { part }) => sum + part, 0);
  if (!(whole > 0)) return html`<p class="empty">No shares yet.</p>`;
  const there = parts.filter(({ part }) => part > 0);
  let at = 0;
  const pieces = there.map(({ tone, part }, number) => {
    const piece = svg`<rect class="piece ${tone} n${number % 2}" x=${at} y="0" height="10"
      width=${(1000 * part) / whole}></rect>`;
    at += (1000 * part) / whole;
    return piece;
  });
  return html`
    <svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
      aria-label="${name}: ${there.map(({ word, part }) => `${word} ${format.percent(part, whole)}`).join(', ')}"
      >${pieces}</svg>
    <ul class="legend">${there.map(({ tone, word, why, part }) => html`
      <li title=${why}><span class="swatch ${tone}" aria-hidden="true"></span>
        ${word} <b>${format.percent(part, whole, 2)}</b> <span class="dim">${show(part)}</span></li>`)}
    </ul>`;
}

/** How full something is. */
export const gauge = (name, used, total) => html`
  <span class="gauge"><svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img"
    aria-label="${name}: ${format.count(used)} of ${format.count(total)}">
    <rect class="track" width="100" height="8"></rect>
    <rect class="fill ${used >= 0.9 * total ? 'warn' : ''}" height="8"
      width=${total > 0 ? Math.min(100, (100 * used) / total) : 0}></rect></svg>
    <span>${format.count(used)} of ${format.count(total)}</span></span>`;

/** Our own words, with what stands in backticks as code. */
export const inCode = (text) => text.split('`').map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));

export const empty = (what, hint = nothing) => html`<p class="empty">${what} ${hint}</p>`;

/** A choice of few, as links: the address holds it. */
export const choice = (name, options, chosen) => html`
  <nav class="chips" aria-label=${name}>${options.map(({ value, word, href }) => html`
    <a class="chip" href=${href} aria-current=${value === chosen ? 'true' : nothing}>${word}</a>`)}
  </nav>`;

/** Only what leads to a page may be followed. */
export const link = (address, word) => {
  let url;
  try {
    url = new URL(address, document.baseURI);
  } catch {
    return nothing;
  }
  return url.protocol === 'https:' || url.protocol === 'http:'
    ? html`<a href=${url.href} rel="noreferrer" target="_blank">${word}</a>`
    : nothing;
};

/** What is needed to do something. */
export const actions = (ui, buttons) => html`
  <div class="actions" role="group" aria-label="Actions">${ui.mayAct
    ? buttons.filter(Boolean).map(({ word, run, tone = '' }) =>
      html`<button type="button" class=${tone} @click=${run}>${word}</button>`)
    : html`<button type="button" @click=${() => ui.askToken()}>Enter a token to act</button>
      <span class="dim">This page only looks.</span>`}
  </div>`;

/** Nobody has to wait for each letter. */
const TYPED_AFTER = 250;
let typing;

export const searchBox = (word, value, hint, search) => html`
  <label>${word} <input type="search" .value=${value ?? ''} maxlength="256" placeholder=${hint} @input=${(event) => {
    clearTimeout(typing);
    typing = setTimeout(() => search(event.target.value), TYPED_AFTER);
  }}></label>`;

/** Nothing where there is nothing to choose. */
export const routeChoice = (names, chosen, choose) => names.length > 1 ? html`
  <label>Route <select @change=${(event) => choose(event.target.value)}>
    <option value="" ?selected=${!chosen}>all</option>
    ${names.map((name) => html`<option value=${name} ?selected=${name === chosen}>${name}</option>`)}
  </select></label>` : nothing;
