// Where one is: the view and what it shows stand in the address behind the `#`, so that it can be sent to
// a colleague.

export function read(hash) {
  const [where, query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { view: where || 'now', params: Object.fromEntries(new URLSearchParams(query)) };
}

export function to(view, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const query = new URLSearchParams(given).toString();
  return `#/${view}${query ? `?${query}` : ''}`;
}

export const worker = (name, route) => to('worker', { name, route });
export const event = (sequence, run) => to('events', { at: sequence, run });
