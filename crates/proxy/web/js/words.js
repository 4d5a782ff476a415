// What the API's names mean, in words, and by which sign and tone each is shown.

/** In which a share ends, as parts of a whole. `passed` says that it passed all checks here. */
export const VERDICTS = [
  { key: 'accepted_by_pool', tone: 'good', word: 'credited', passed: true,
    why: 'The pool credited it.' },
  { key: 'below_pool_target', tone: 'calm', word: 'good, below the pool’s target', passed: true,
    why: 'Good work of the rig’s own target; the pool asks for more and is not sent it.' },
  { key: 'stale', tone: 'warn', word: 'stale', passed: false,
    why: 'It came after its job had been replaced. Some at each block are usual; many mean a slow network or firmware that goes on with old jobs.' },
  { key: 'rejected_by_pool', tone: 'bad', word: 'refused by the pool', passed: true,
    why: 'It passed all checks here and the pool refused it. The pool’s words stand on the page of pools.' },
  { key: 'duplicate', tone: 'bad', word: 'sent twice', passed: false,
    why: 'The rig sent it before: its firmware restarts its counter.' },
  { key: 'second_solution', tone: 'calm', word: 'second solution', passed: true,
    why: 'A further solution of a nonce of which the pool counts only one.' },
  { key: 'low_difficulty', tone: 'bad', word: 'above its target', passed: false,
    why: 'Its hash misses the target that the rig was told: wrong algorithm or scale, or failing boards.' },
  { key: 'invalid', tone: 'bad', word: 'invalid', passed: false,
    why: 'Malformed, impossible or with a bad proof.' },
  { key: 'unauthorized', tone: 'bad', word: 'not authorized', passed: false,
    why: 'Its worker did not log in on this connection.' },
  { key: 'quarantined', tone: 'warn', word: 'held back', passed: false,
    why: 'Held back unchecked, since its rig sends too much rubbish.' },
  { key: 'overflow', tone: 'warn', word: 'queue full', passed: true,
    why: 'More shares came than could be passed on.' },
  { key: 'unanswered', tone: 'warn', word: 'unanswered', passed: true,
    why: 'The pool never answered it.' },
  { key: 'lost_on_failover', tone: 'warn', word: 'lost with its pool', passed: true,
    why: 'The pool’s connection was lost with it on the way.' },
];

/** How workers and rigs are. */
export const STATES = {
  online: { sign: '●', tone: 'good', word: 'online', why: 'It sends shares.' },
  silent: { sign: '◐', tone: 'warn', word: 'silent',
    why: 'It is connected, and has sent no share for long.' },
  quarantined: { sign: '▲', tone: 'bad', word: 'quarantined',
    why: 'Most of its shares are bad: they are held back.' },
  offline: { sign: '○', tone: 'off', word: 'offline', why: 'No rig of it is connected.' },
};

export const HEALTHS = {
  serves: { sign: '●', tone: 'good', word: 'serves' },
  unknown: { sign: '◌', tone: 'off', word: 'not needed yet' },
  lost: { sign: '◐', tone: 'warn', word: 'connection lost' },
  down: { sign: '✕', tone: 'bad', word: 'down' },
  benched: { sign: '▲', tone: 'warn', word: 'left alone for a while' },
  retired: { sign: '○', tone: 'off', word: 'retired' },
};

export const CHANNELS = {
  live: { sign: '●', tone: 'good', word: 'live' },
  connecting: { sign: '◐', tone: 'warn', word: 'connecting' },
  closing: { sign: '○', tone: 'off', word: 'closing' },
};

export const SEVERITIES = {
  error: { sign: '✕', tone: 'bad', word: 'act now' },
  warning: { sign: '▲', tone: 'warn', word: 'look at it' },
  warn: { sign: '▲', tone: 'warn', word: 'warning' },
  info: { sign: '◆', tone: 'calm', word: 'good to know' },
};

export const LEVELS = {
  error: { sign: '✕', tone: 'bad', word: 'error' },
  warn: { sign: '▲', tone: 'warn', word: 'warn' },
  info: { sign: '·', tone: 'off', word: 'info' },
};

/** What is not known yet is shown by its own name. */
export const wordOf = (words, name) =>
  words[name] ?? { sign: '?', tone: 'off', word: String(name) };

/** The windows of rates. */
export const WINDOWS = { '1m': 60, '10m': 600, '1h': 3600, '24h': 86400 };

/** Rates over a window, of a list of them. */
export const over = (hashrate, window) =>
  hashrate?.find((rates) => rates.window_s === WINDOWS[window]);

/** The part of claimed work that was stale, or good neither here nor at the pool. */
export function wasted(rates) {
  if (!rates) return NaN;
  const lost = ['stale', 'rejected_by_pool', 'duplicate', 'low_difficulty', 'invalid',
    'unauthorized', 'quarantined', 'overflow', 'unanswered', 'lost_on_failover'];
  return lost.reduce((sum, kind) => sum + (rates.kinds_hs[kind] ?? 0), 0);
}
