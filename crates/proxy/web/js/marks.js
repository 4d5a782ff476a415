// From events to what a chart marks: outages, failovers, reloads, alerts.

const SIGNS = [
  { id: /^pool\.outage$/, tone: 'bad', sign: '✕', word: 'no pool', until: /^pool\.(active|serves|switch)$/ },
  { id: /^pool\.failed$/, tone: 'warn', sign: '▲', word: 'pool failed', until: /^pool\.(serves|switch)$/ },
  { id: /^pool\.switch$/, tone: 'warn', sign: '⇄', word: 'failover' },
  { id: /^reload\.changed$/, tone: 'calm', sign: '↻', word: 'reload' },
  { id: /^reload\.refused$/, tone: 'bad', sign: '↻', word: 'reload refused' },
  { id: /^diagnostic\.raised$/, tone: 'warn', sign: '▲', word: 'alert', until: /^diagnostic\.cleared$/ },
];

const unix = (event) => new Date(event.at) / 1000;

/** The events must be in their order. `chosen` is the number of the one that is looked at. */
export function marks(events, ofRoute, from, to, chosen) {
  const here = events.filter((event) => !event.route || event.route === ofRoute);
  const found = [];
  here.forEach((event, place) => {
    const kind = SIGNS.find(({ id }) => id.test(event.id));
    if (!kind) return;
    const code = event.fields?.code;
    const end = kind.until && here.slice(place + 1).find(({ id, fields }) => kind.until.test(id) && fields?.code === code);
    const begins = unix(event);
    const ends = end ? unix(end) : kind.until ? to : begins;
    if (ends < from || begins > to) return;
    const { tone, sign, word } = kind;
    const what = event.pool ?? code ? `${word} (${event.pool ?? code})` : word;
    found.push({
      from: begins, to: ends, tone, sign, word: what, event: event.sequence, chosen: event.sequence === chosen,
    });
  });
  return found;
}
