// Plays the proxy's API from a farm that was made up, and serves the page with the header that the proxy
// sends with it. `node tests/page/mock.mjs [RIGS]` shows it at http://127.0.0.1:9098.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Farm } from './farm.mjs';

const WEB = fileURLToPath(new URL('../../crates/proxy/web/', import.meta.url));
const KINDS = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
export const TOKEN = 'let-me-act';
const READS = 'let-me-look';
const STEPS = { minute: 60, ten_minutes: 600, hour: 3600 };

class Problem extends Error {
  constructor(status, code, detail, remedy = '', problems = undefined) {
    super(detail);
    this.status = status;
    this.body = { type: `https://github.com/orepass/orepass/blob/main/docs/api.md#${code}`, title: code.replaceAll('_', ' '), status, detail, code, remedy, problems };
  }
}

export class Mock {
  /** `ok`, `drop`, `401` for whoever has no token, `500`. */
  mode = 'ok';
  refuseReload = false;
  /** What was asked for, newest last. */
  asked = [];

  constructor(farm = new Farm()) {
    this.farm = farm;
    this.server = createServer((request, response) => this.#answer(request, response));
  }

  async start(port = 0) {
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}/`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  async #answer(request, response) {
    if (this.mode === 'drop') return request.socket.destroy();
    const url = new URL(request.url, 'http://mock');
    const headers = { 'Content-Security-Policy': CSP, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' };
    try {
      if (url.pathname.startsWith('/api/')) {
        this.asked.push(`${request.method} ${request.url}`);
        if (this.asked.length > 1000) this.asked.shift();
        const body = await this.#api(request, url);
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        response.writeHead(200, { ...headers, 'Content-Type': typeof body === 'string' ? 'text/csv; charset=utf-8' : 'application/json' }).end(text);
      } else {
        const name = normalize(url.pathname === '/' ? '/index.html' : url.pathname);
        const file = await readFile(join(WEB, name)).catch(() => null);
        if (!file) throw new Problem(404, 'no_such_path', 'nothing is here');
        response.writeHead(200, { ...headers, 'Content-Type': KINDS[extname(name)] ?? 'text/plain' }).end(file);
      }
    } catch (problem) {
      const { status = 500, body = { title: 'broken', status: 500, detail: String(problem.stack), code: 'broken' } } = problem;
      response.writeHead(status, { ...headers, 'Content-Type': 'application/problem+json' }).end(JSON.stringify(body));
    }
  }

  async #api(request, url) {
    const given = request.headers.authorization?.replace(/^Bearer /, '');
    if (this.mode === '500') throw new Problem(500, 'broken', 'a fault in the proxy', 'please report it');
    if (given && given !== TOKEN && given !== READS) throw new Problem(401, 'token_unknown', 'nobody has this token', 'look at [[api.token]]; a new one is known after a reload');
    if (this.mode === '401' && !given) throw new Problem(401, 'token_missing', 'this needs a token', 'send one of [[api.token]]');
    const path = url.pathname.replace('/api/v1/', '').split('/').map(decodeURIComponent);
    const query = Object.fromEntries(url.searchParams);
    if (request.method === 'GET') return this.#read(path, query, Date.now());
    if (!given) throw new Problem(401, 'token_missing', 'this changes something, and needs a token');
    if (given === READS) throw new Problem(403, 'token_only_reads', 'the token is for looking, and this changes something', 'use one with may = "act"');
    let text = '';
    for await (const part of request) text += part;
    return this.#write(request.method, path, query, text ? JSON.parse(text) : {});
  }

  #read([what, name], query, now) {
    const { farm } = this;
    const of = (list) => list.filter(({ route }) => !query.route || route === query.route);
    const page = (list) => list.slice(Number(query.offset ?? 0), Number(query.offset ?? 0) + Number(query.limit ?? 100));
    if (what === 'summary') return farm.summary(now);
    if (what === 'routes') return { routes: farm.summary(now).routes };
    if (what === 'diagnostics') return { diagnostics: farm.diagnostics(now) };
    if (what === 'status') return { version: '0.1.0', pid: 4711, config: '/etc/orepass/orepass.toml', reloads: 2, routes: [], draining: [] };
    if (what === 'config') {
      return { workers: 2, route: [{ name: 'hns', dialect: 'hstratum', listen: ['[::]:3008', 'tls://[::]:3443'], verify: 'full',
        pool: [{ url: 'stratum+ssl://pool-a.example:3008', user: 'account.{worker}', password: '(hidden)' }] },
      { name: 'aion', dialect: 'aion', listen: ['[::]:3333'] }], limits: { connections: 943718 }, api: { listen: '127.0.0.1:9099' } };
    }
    if (what === 'history') {
      const step = STEPS[query.resolution];
      return { points: farm.history({ ...query, from: Number(query.from), to: Number(query.to), step }) };
    }
    if (what === 'events') {
      let events = farm.events.filter(({ sequence }) => !query.after || sequence > Number(query.after));
      events = events.filter((event) => (!query.id || event.id.startsWith(query.id)) && (!query.route || event.route === query.route)
        && (!query.level || query.level === 'info' || event.level === 'error' || event.level === query.level)
        && (!query.text || JSON.stringify(Object.values(event)).toLowerCase().includes(JSON.stringify(query.text.toLowerCase()).slice(1, -1))));
      const limit = Number(query.limit ?? 100);
      return { started_at: new Date(farm.began).toISOString(), events: query.after ? events.slice(0, limit) : events.slice(-limit) };
    }
    if (what === 'rigs' && !name) {
      const rigs = of(farm.rigs()).filter((rig) => (!query.worker || rig.name === query.worker) && (!query.state || rig.state === query.state));
      return { total: rigs.length, offset: Number(query.offset ?? 0), limit: Number(query.limit ?? 100), rigs: page(rigs).map((rig) => farm.rig(rig, now)) };
    }
    if (what === 'workers' && name !== undefined) {
      const worker = of(farm.workers).find((one) => one.name === name);
      if (!worker) throw new Problem(404, 'no_such_worker', `no worker is named ${JSON.stringify(name).slice(0, 300)}`, 'look at /api/v1/workers');
      return farm.worker(worker, now);
    }
    if (what === 'workers') return this.#workers(of(farm.workers), query, page, now);
    throw new Problem(404, 'no_such_path', `there is nothing at ${what}`);
  }

  #workers(all, query, page, now) {
    const wanted = query.search?.toLowerCase();
    const fit = all.filter(({ name, state }) => (!wanted || name.toLowerCase().includes(wanted)) && (!query.state || state === query.state));
    const list = { total: fit.length, offset: Number(query.offset ?? 0), limit: Number(query.limit ?? 100) };
    if (query.limit === '0') return { ...list, workers: [] };
    const by = (query.sort ?? 'name').replace(/^-/, '');
    const down = query.sort?.startsWith('-') ? -1 : 1;
    const plain = ['name', 'route', 'state'].includes(by);
    const [, kind, window] = /^(claimed|accepted|credited)_(1m|10m|1h|24h)_hs$/.exec(by) ?? [];
    const place = ['1m', '10m', '1h', '24h'].indexOf(window);
    const cell = plain ? (worker) => worker[by] : (worker) => {
      const view = this.farm.worker(worker, now);
      return kind ? view.hashrate[place][`${kind}_hs`] : view[by] ?? view.shares[by] ?? -1;
    };
    const keyed = fit.map((worker) => [cell(worker), worker]);
    keyed.sort(([one, a], [other, b]) => (one < other ? -down : one > other ? down : a.name < b.name ? -1 : 1));
    const sorted = keyed.map(([, worker]) => worker);
    if (query.format === 'csv') {
      return `route,name,state\r\n${sorted.map(({ route, name, state }) => `"${route}","${name.replaceAll('"', '""')}","${state}"`).join('\r\n')}\r\n`;
    }
    return { ...list, workers: page(sorted).map((worker) => this.farm.worker(worker, now)) };
  }

  #write(method, [what, name, how], query, body) {
    const { farm } = this;
    if (what === 'rigs' && how === 'kick') {
      if (!farm.kick(name)) throw new Problem(404, 'no_such_rig', `no rig "${name}" is connected`, 'look at /api/v1/rigs');
      return { id: name, difficulty: null };
    }
    if (what === 'rigs' && how === 'difficulty') return { id: name, difficulty: body.difficulty };
    if (what === 'workers') {
      if (how === 'ban') farm.banned.add(name);
      if (how === 'unban') farm.banned.delete(name);
      if (method === 'DELETE') farm.workers = farm.workers.filter((worker) => worker.name !== name);
      return { worker: name, routes: ['hns'], rigs_closed: 1 };
    }
    if (what === 'pools') {
      farm.preferred = body.preferred ? name : null;
      return { route: body.route, preferred_pool: farm.preferred };
    }
    if (what === 'reload') {
      if (this.refuseReload) {
        throw new Problem(422, 'config_refused', 'the config has 1 mistake', '`orepass check` names it', [
          { file: '/etc/orepass/orepass.toml', line: 12, column: 3, message: 'unknown key `pasword`; did you mean `password`?' }]);
      }
      farm.happen('info', 'reload.changed', 'route hns: max_channels is 32, was 16');
      return { changed: ['route hns: max_channels is 32, was 16'], at_restart: ['workers is 4, was 2'] };
    }
    throw new Problem(404, 'no_such_path', `there is nothing at ${what}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await new Mock(new Farm({ rigs: Number(process.argv[2] ?? 500) })).start(9098);
  console.log(`the page is at ${mock.url}, and its token is ${TOKEN}`);
}
