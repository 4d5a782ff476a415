// What several views ask for, every few seconds only.

import * as api from './api.js';
import { STATES } from './words.js';

/** How many workers are how: each is a count over all workers. */
export function counts(memory, query, now, signal) {
  return memory.every(5, `counts ${JSON.stringify(query)}`, now, async () => {
    const of = async (state) =>
      [state, (await api.get(api.path('workers', { ...query, state, limit: 0 }), { signal })).total];
    return Object.fromEntries(await Promise.all(Object.keys(STATES).map(of)));
  });
}

export const sum = (counted) => Object.values(counted).reduce((total, part) => total + part, 0);

/** The routes' names; none for whoever may see some workers alone. */
export function routeNames(memory, now, signal) {
  return memory.every(30, 'routes', now, async () => {
    const { routes } = await api.get('routes', { signal }).catch((problem) => {
      if (problem.status === 403) return { routes: [] };
      throw problem;
    });
    return routes.map(({ name }) => name);
  });
}
