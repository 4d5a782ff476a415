// From the history's points to a chart's lines.

import * as api from './api.js';
import { VERDICTS } from './words.js';

/** How much is shown, how finely. */
export const RANGES = {
  '1h': { word: '1 hour', seconds: 3600, resolution: 'minute', step: 60 },
  '24h': { word: '24 hours', seconds: 86400, resolution: 'ten_minutes', step: 600 },
  '7d': { word: '7 days', seconds: 604800, resolution: 'hour', step: 3600 },
};

export const rangeOf = (name) => (Object.hasOwn(RANGES, name ?? '') ? name : '1h');

const PASSED = VERDICTS.filter(({ passed }) => passed).map(({ key }) => key);

/** Asks for a time that ends now. */
export async function load(kind, ofRoute, name, range, now, signal) {
  const { seconds, resolution, step } = RANGES[range];
  const to = Math.floor(now / 1000 / step) * step;
  const from = to - seconds;
  const where = api.path('history', { kind, route: ofRoute, name, from, to, resolution });
  const { points } = await api.get(where, { signal });
  return { from, to, step, points };
}

/** What is missing in the history is a gap, not a zero. */
export function lines({ from, to, step, points }) {
  const known = new Map(points.map((point) => [Math.round(new Date(point.at) / 1000), point]));
  const first = points.length ? Math.min(...known.keys()) : to;
  const times = [];
  for (let at = from; at < to; at += step) times.push(at);
  const ofPoint = (sum) => times.map((at) => {
    const point = known.get(at);
    return point ? sum(point) / step : at < first ? null : 0;
  });
  const work = (kinds) => (point) => kinds(point.work_hashes ?? {});
  const every = work((hashes) => Object.values(hashes).reduce((sum, part) => sum + part, 0));
  const passed = work((hashes) => PASSED.reduce((sum, kind) => sum + (hashes[kind] ?? 0), 0));
  const all = [
    { key: 'claimed', word: 'claimed by rigs', values: ofPoint(every) },
    { key: 'accepted', word: 'accepted here', values: ofPoint(passed) },
    { key: 'credited', word: 'credited by the pool', values: ofPoint((point) => point.credited_hashes) },
  ];
  return points.length ? { times, lines: all } : { times: [], lines: all.map((line) => ({ ...line, values: [] })) };
}
