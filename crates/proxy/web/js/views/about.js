// The process: its version, its limits, its config.

import { html, nothing } from '../../vendor/lit-html.js';
import * as api from '../api.js';
import * as format from '../format.js';
import { actions, empty, facts } from '../parts.js';

export const title = () => 'About';

export async function load({ memory, now, signal }) {
  const [summary, status, config] = await Promise.all([
    api.get('summary', { signal }),
    memory.every(3, 'status', now, () => api.get('status', { signal })),
    memory.every(10, 'config', now, () => api.get('config', { signal })),
  ]);
  return { summary, status, config };
}

export function render({ summary, status, config }, { ui }) {
  const met = Object.entries(summary.limits_met).filter(([, many]) => many > 0);
  return html`
    <section class="card"><h2>Orepass ${summary.version}</h2>
      ${facts([
        ['Process', summary.pid], ['Up for', format.age(summary.uptime_s)], ['Since', format.moment(summary.started_at)],
        ['Its clock', format.moment(summary.at)], ['Config file', status.config ?? 'none: from the command line'],
        ['Read again', format.many(status.reloads, 'time')],
        ['Open files', `${format.count(summary.open_files)} of ${format.count(summary.open_files_limit)}`],
        ['Faults of its own', format.count(summary.panics)],
      ])}
      <h3>Limits that were met</h3>
      ${met.length ? facts(met.map(([key, many]) => [html`<code>${key}</code>`, format.many(many, 'time')])) : empty('None was.')}
      <p><a href="api/v1/openapi.json" target="_blank" rel="noreferrer">The API’s description</a></p></section>
    <section class="card"><div class="row"><h2>Config in force</h2>${actions(ui, [{ word: 'Reload…', run: () => reload(status, ui) }])}</div>
      ${result(ui)}
      <div class="scroll config" tabindex="0" role="region" aria-label="Config in force"><pre>${JSON.stringify(config, null, 2)}</pre></div>
      <p class="dim">With all defaults, and without secrets.</p></section>`;
}

const reload = (status, ui) => ui.ask({
  title: 'Read the config again?', verb: 'Reload', done: 'The config was read again.',
  body: html`What is different in <code>${status.config ?? 'the config'}</code> comes into force. If anything in it is wrong,
    all stays as it is.`,
  run: async () => {
    ui.kept.reloaded = null;
    try {
      ui.kept.reloaded = await api.act('POST', 'reload');
    } catch (problem) {
      if (problem.code === 'config_refused') ui.kept.reloaded = { problem };
      throw problem;
    }
  },
});

function result({ kept: { reloaded } }) {
  if (!reloaded) return nothing;
  if (reloaded.problem) {
    return html`<div class="card bad"><h3><span aria-hidden="true">✕</span> Refused; nothing has changed</h3>
      <p>${reloaded.problem.message}</p><ul>${reloaded.problem.problems.map(({ file, line, column, message }) => html`
        <li><code>${file}${line ? `:${line}:${column}` : ''}</code> ${message}</li>`)}</ul></div>`;
  }
  const { changed, at_restart: later } = reloaded;
  return html`<div class="card good"><h3><span aria-hidden="true">✓</span> ${changed.length || later.length ? 'What has changed' : 'Nothing was different'}</h3>
    ${changed.length ? html`<ul class="difference">${changed.map((line) => html`<li>${line}</li>`)}</ul>` : nothing}
    ${later.length ? html`<p>At the next start or upgrade:</p><ul class="difference">${later.map((line) => html`<li>${line}</li>`)}</ul>` : nothing}</div>`;
}
