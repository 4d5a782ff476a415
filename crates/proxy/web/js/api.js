// The HTTP API: the page's only contract.

const TOKEN = 'orepass-token';
const PATIENCE = 10000;

/** What the API refuses, and why. */
export class ApiProblem extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the answer is ${status}`);
    this.status = status;
    this.code = problem.code ?? '';
    this.title = problem.title ?? '';
    this.remedy = problem.remedy ?? '';
    this.problems = Array.isArray(problem.problems) ? problem.problems : [];
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN),
};

/** A path with its query; what is empty is left out. */
export function path(base, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(given).toString();
  return text ? `${base}?${text}` : base;
}

export const named = (name) => encodeURIComponent(name);

async function call(method, where, { body, as = 'json', with: given = token.get(), signal } = {}) {
  const headers = {};
  if (given) headers.Authorization = `Bearer ${given}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const timeout = AbortSignal.timeout(PATIENCE);
  const request = {
    method, headers, cache: 'no-store', credentials: 'omit', redirect: 'error',
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  };
  let response;
  try {
    response = await fetch(new URL(`api/v1/${where}`, document.baseURI), request);
    if (response.ok) return await response[as]();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(error.message);
  }
  const problem = await response.json().catch(() => ({}));
  throw new ApiProblem(response.status, problem ?? {});
}

export const get = (where, options) => call('GET', where, options);
export const act = (method, where, body) => call(method, where, { body });

/** Whether a token is known; throws why not. */
export const tryToken = (value) => call('GET', 'workers?limit=0', { with: value });
