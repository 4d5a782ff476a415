// What a chart of a route, pool or worker shows, from its history and the events of the time.

import { html } from '../vendor/lit-html.js';
import * as api from './api.js';
import * as history from './history.js';
import { marks } from './marks.js';
import { choice } from './parts.js';
import * as route from './route.js';
import './chart.js';

/** The history is kept by the minute, so it is asked for seldom. */
export async function load(memory, { kind, ofRoute, name, range }, now, signal) {
  const [told, events] = await Promise.all([
    memory.every(20, `history ${range}`, now, () =>
      history.load(kind, ofRoute, name, range, now, signal).catch((problem) => {
        // A proxy that keeps none shows all else.
        if (problem instanceof api.ApiProblem && problem.status !== 401) return { problem };
        throw problem;
      })),
    memory.every(10, 'marked events', now, async () => {
      const ids = ['pool.', 'reload.', 'diagnostic.'];
      const lists = await Promise.all(ids.map((id) => api.get(api.path('events', { id, limit: 500 }), { signal })));
      return {
        run: lists[0].started_at,
        events: lists.flatMap((list) => list.events).sort((one, other) => one.sequence - other.sequence),
      };
    }),
  ]);
  return { ...told, ...events, range, ofRoute };
}

export function show(told, { name, norm, view, params }) {
  const range = told.range;
  const ranges = Object.entries(history.RANGES).map(([value, { word }]) =>
    ({ value, word, href: route.to(view, { ...params, range: value }) }));
  return html`
    <div class="row"><h2>${name}</h2>${choice('Time shown', ranges, range)}</div>
    ${told.problem
      ? html`<p class="empty">There is no history: ${told.problem.message}</p>`
      : html`<rate-chart .run=${told.run} .figure=${figure(told, name, norm, Number(params.event) || null)}></rate-chart>`}`;
}

function figure(told, name, norm, chosen) {
  const { from, to, points } = told;
  return {
    name: `${name}, ${history.RANGES[told.range].word}`, norm, from, to, points, chosen,
    ...history.lines(told), marks: marks(told.events, told.ofRoute, from, to, chosen),
  };
}
