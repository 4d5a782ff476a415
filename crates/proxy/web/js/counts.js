// How many workers are how.

import * as api from './api.js';
import { STATES } from './words.js';

/** Asked for every few seconds: each is a count over all workers. */
export function counts(memory, query, now, signal) {
  return memory.every(5, `counts ${JSON.stringify(query)}`, now, async () => {
    const of = async (state) =>
      [state, (await api.get(api.path('workers', { ...query, state, limit: 0 }), { signal })).total];
    return Object.fromEntries(await Promise.all(Object.keys(STATES).map(of)));
  });
}

export const sum = (counted) => Object.values(counted).reduce((total, part) => total + part, 0);
