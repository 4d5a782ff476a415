// What is asked of whoever sits before the page: whether to do something, and for a token.

import { html, nothing } from '../vendor/lit-html.js';
import * as api from './api.js';
import { inCode } from './parts.js';

/** `question`: `title`, `body`, `verb`, `run`, `done`, and an `input` where a number is wanted. */
export function confirm(question, { close, failed, done, busy }) {
  const { title, body, verb, danger, input, problem } = question;
  const submit = async (event) => {
    event.preventDefault();
    const value = input ? event.target.elements.value.valueAsNumber : undefined;
    busy(true);
    try {
      await question.run(value);
      done(question.done);
    } catch (wrong) {
      failed(wrong);
    }
  };
  return html`<dialog aria-labelledby="asked" @close=${close} @cancel=${close}>
    <form method="dialog" @submit=${submit}>
      <h2 id="asked">${title}</h2><p>${body}</p>
      ${input ? html`<label>${input.word} <input name="value" type="number" required .value=${String(input.value)}
        min=${input.min} max=${input.max ?? nothing} step=${input.step}></label>` : nothing}
      ${refusal(problem)}
      <div class="actions"><button type="button" autofocus @click=${close}>Cancel</button>
        <button type="submit" class=${danger ? 'danger' : 'main'} ?disabled=${question.busy}>${verb}</button></div>
    </form></dialog>`;
}

export function askToken(question, { close, failed, done, busy }) {
  const submit = async (event) => {
    event.preventDefault();
    const given = event.target.elements.token.value.trim();
    busy(true);
    try {
      await api.tryToken(given);
      api.token.set(given);
      done('The token is known. It is kept until this tab is closed.');
    } catch (wrong) {
      failed(wrong);
    }
  };
  return html`<dialog aria-labelledby="asked" @close=${close} @cancel=${close}>${tokenForm(submit, question, close)}</dialog>`;
}

const tokenForm = (submit, question, close) => html`<form method="dialog" @submit=${submit}>
  <h2 id="asked">Your token</h2>
  <p>One of the config’s <code>[[api.token]]</code>; to act it needs <code>may = "act"</code>. It stays in this tab.</p>
  <label>Token <input name="token" type="password" required autocomplete="off" spellcheck="false" autofocus></label>
  ${refusal(question.problem)}
  <div class="actions"><button type="button" @click=${close}>Cancel</button>
    <button type="submit" class="main" ?disabled=${question.busy}>Use it</button></div></form>`;

export const refusal = (problem) => problem ? html`<div class="refusal" role="alert"><p><b>${problem.message}</b></p>
  ${problem.remedy ? html`<p>${inCode(problem.remedy)}</p>` : nothing}
  ${problem.problems?.length ? html`<ul>${problem.problems.map(({ file, line, column, message }) => html`
    <li><code>${file}${line ? `:${line}:${column}` : ''}</code> ${message}</li>`)}</ul>` : nothing}</div>` : nothing;
