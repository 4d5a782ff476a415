// A farm that was made up: what the API tells of it at a moment. The same at each run, but for the clock.

export const VERDICTS = ['accepted_by_pool', 'below_pool_target', 'rejected_by_pool', 'stale', 'duplicate',
  'second_solution', 'low_difficulty', 'invalid', 'unauthorized', 'quarantined', 'overflow', 'unanswered',
  'lost_on_failover'];
const WINDOWS = [60, 600, 3600, 86400];
const UP = 3 * 86400;

/** Names and agents as somebody would say them who means harm. */
export const HOSTILE = {
  image: '<img src=x onerror=alert(1)>',
  script: '"><script>alert(2)</script>',
  turned: 'farm.\u202Egnp.kcab',
  hidden: 'farm.r\u200B001',
  template: '${alert(3)}{{alert(4)}}<!--?lit$-->',
  link: 'javascript:alert(5)',
  path: '../../etc/passwd?a=b&c#d%00',
  long: 'x'.repeat(65536),
};

/** mulberry32: the same numbers each time. */
function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const MIX = {
  good: { accepted_by_pool: 0.21, below_pool_target: 0.781, stale: 0.0065, rejected_by_pool: 0.002, unanswered: 0.0005 },
  bad: { accepted_by_pool: 0.02, low_difficulty: 0.6, invalid: 0.18, duplicate: 0.1, quarantined: 0.1 },
};

export class Farm {
  constructor({ rigs = 500, hostile = true, outage = true, empty = false, began = Date.now() } = {}) {
    this.began = began - 1000 * UP;
    this.outage = outage;
    this.banned = new Set();
    this.preferred = null;
    this.kicked = [];
    this.workers = empty ? [] : this.#people(rigs, hostile);
    this.sequence = 0;
    this.events = [];
    if (!empty) this.#past(began);
  }

  #people(rigs, hostile) {
    const roll = dice(7);
    const made = Array.from({ length: rigs }, (_, number) => {
      const aion = number % 5 === 4;
      return {
        route: aion ? 'aion' : 'hns', serial: number + 1, state: 'online', mix: MIX.good,
        name: `farm.r${String(number + 1).padStart(rigs > 9999 ? 5 : 3, '0')}`,
        agent: aion ? 'aionminer/1.1' : ['Goldshell HS5/2.2.1', 'HS-BOX/2.0.6', 'cgminer/4.11.1'][number % 3],
        rate: (aion ? 45 : 2.7e12) * (0.85 + 0.3 * roll()), luck: roll(), low: false,
      };
    });
    const bad = made[12];
    Object.assign(bad, {
      state: 'quarantined', mix: MIX.bad, rate: bad.rate / 4,
      diagnosis: 'its firmware restarts its counter without a new job: 9 of its last 50 shares were duplicates',
      advice: 'update its firmware; what it repeats never reaches the pool',
    });
    made[26].state = 'silent';
    made[90].state = 'offline';
    made[150].low = true;
    if (hostile) {
      const names = Object.values(HOSTILE);
      names.forEach((name, at) => {
        const worker = made[200 + at * 5];
        Object.assign(worker, { name, agent: HOSTILE.image + name });
      });
    }
    return made;
  }

  #say(at, level, id, message, rest = {}) {
    this.sequence += 1;
    const { fields = {}, ...named } = rest;
    this.events.push({
      sequence: this.sequence, at: new Date(at).toISOString(), level, id, message, ...named, fields,
    });
    if (this.events.length > 4096) this.events.shift();
  }

  #past(now) {
    const minutes = (many) => now - 60000 * many;
    const hns = { route: 'hns' };
    this.#say(minutes(4000), 'info', 'route.up', 'rigs may connect', { ...hns, fields: { listen: '[::]:3008' } });
    this.workers.slice(0, 60).forEach((worker, at) => this.#say(minutes(3999 - at / 60), 'info', 'rig.up', 'rig up', {
      route: worker.route, rig: worker.name, fields: { agent: worker.agent.slice(0, 200), peer: `10.0.0.${at}:40000` },
    }));
    this.#say(minutes(700), 'info', 'reload.changed', 'route hns: pool pool-b is new', { fields: { file: '/etc/orepass/orepass.toml' } });
    const bad = this.workers[12];
    this.#say(minutes(49), 'warn', 'rig.quarantine', `most shares of ${bad.name} are bad: they are held back`, {
      route: bad.route, rig: bad.name, fields: { bad: '31', of: '50' },
    });
    this.#say(minutes(48), 'warn', 'rig.diagnosis', bad.diagnosis, { route: bad.route, rig: bad.name });
    if (this.outage) {
      this.#say(minutes(34), 'warn', 'pool.failed', 'pool-a is of no use: it told no job for 94 s', { ...hns, pool: 'pool-a', fields: { cause: 'jobs' } });
      this.#say(minutes(33.9), 'error', 'pool.outage', 'no pool serves hns: the rigs are held', hns);
      this.#say(minutes(31), 'warn', 'pool.switch', '399 rigs move to pool-b', { ...hns, pool: 'pool-b', fields: { from: 'pool-a', rigs: '399' } });
      this.#say(minutes(30.9), 'info', 'pool.active', 'rigs mine at pool-b', { ...hns, pool: 'pool-b' });
    }
    this.#say(minutes(5), 'warn', 'rig.refused', 'a connection was closed before it was a rig: it speaks no stratum', {
      ...hns, fields: { peer: '203.0.113.9:51022' },
    });
    this.workers.slice(200, 240).filter(({ name }) => !name.startsWith('farm.r')).forEach((worker) =>
      this.#say(minutes(3), 'info', 'rig.remark', `its worker calls itself ${worker.name}`, { route: worker.route, rig: worker.name }));
  }

  /** The rate of a worker now: shares come at random. */
  #rate(worker, now) {
    if (worker.state === 'silent' || worker.state === 'offline') return 0;
    const wave = 1 + 0.05 * Math.sin(now / 40000 + 10 * worker.luck);
    return worker.rate * wave * (worker.low ? 0.5 : 1);
  }

  #hashrate(rate, mix, shares) {
    return WINDOWS.map((window_s) => {
      const kinds_hs = Object.fromEntries(VERDICTS.map((kind) => [kind, rate * (mix[kind] ?? 0)]));
      const accepted_hs = ['accepted_by_pool', 'below_pool_target', 'rejected_by_pool', 'unanswered']
        .reduce((sum, kind) => sum + kinds_hs[kind], 0);
      const error = 1 / Math.sqrt(Math.max(1, (shares * window_s) / 60));
      const credited_hs = 0.993 * accepted_hs;
      return {
        window_s, claimed_hs: rate, accepted_hs, accepted_error_hs: accepted_hs * error,
        credited_hs, credited_error_hs: 2 * credited_hs * error, kinds_hs,
      };
    });
  }

  #shares(sent, mix, rate) {
    const counts = Object.fromEntries(VERDICTS.map((kind) => [kind, Math.round(sent * (mix[kind] ?? 0))]));
    return {
      sent, in_flight: sent ? 1 : 0, ...counts, unchecked: 0, late_verdicts: 0, resent: 0, undeliverable: 0,
      blocks: 0, best_share_hashes: rate * 8e5, credited_hashes: rate * UP * 0.97,
    };
  }

  worker(worker, now) {
    const rate = this.#rate(worker, now);
    const gone = worker.state === 'offline';
    const sent = Math.floor((now - this.began) / 6000);
    return {
      route: worker.route, name: worker.name, state: worker.state, rigs: gone ? 0 : 1, agents: gone ? [] : [worker.agent],
      last_share_age_s: gone ? 5400 : worker.state === 'silent' ? 1260 : ((now / 1000) * (0.5 + worker.luck)) % 6,
      shares: this.#shares(sent, worker.mix, worker.rate), hashrate: this.#hashrate(rate, worker.mix, 10),
      norm_hs: worker.rate, against_norm: worker.low ? 'low' : worker.state === 'online' ? 'good' : 'unknown',
    };
  }

  rig(worker, now) {
    const all = this.worker(worker, now);
    return {
      id: `${worker.route}-${worker.serial}`, route: worker.route, address: `10.0.${worker.serial >> 8}.${worker.serial & 255}:41234`,
      worker: worker.name, agent: worker.agent, state: worker.state, connected_s: (now - this.began) / 1000 - worker.serial,
      pool: this.#pool(worker.route), channel: 1 + (worker.serial % 2), slot: worker.serial & 255, alone: false,
      difficulty: worker.route === 'aion' ? 64 : 8192, last_share_age_s: all.last_share_age_s, shares: all.shares,
      hashrate: all.hashrate, norm_hs: all.norm_hs, against_norm: all.against_norm, diagnosis: worker.diagnosis ?? null, advice: worker.advice ?? null,
    };
  }

  rigs() {
    return this.workers.filter(({ state }) => state !== 'offline');
  }

  #pool(route) {
    if (route === 'aion') return 'aion-main';
    return this.preferred ?? (this.outage ? 'pool-b' : 'pool-a');
  }

  route(name, now) {
    const people = this.workers.filter(({ route }) => route === name);
    const rigs = people.filter(({ state }) => state !== 'offline').length;
    const rate = people.reduce((sum, worker) => sum + this.#rate(worker, now), 0);
    const sent = people.length * Math.floor((now - this.began) / 6000);
    const shares = this.#shares(sent, MIX.good, rate);
    const hashrate = this.#hashrate(rate, MIX.good, 10 * people.length);
    const nothing = this.#hashrate(0, MIX.good, 0);
    const at = this.#pool(name);
    const jobs = (now / 1000) % 37;
    const pool = (pool, rank, rest) => ({
      route: name, name: pool, server: `${pool}.example:3008`, tls: rank === 0, rank, weight: 1, health: 'serves', cause: null,
      health_s: 4000, share_wanted: pool === at ? 1 : 0, rigs: pool === at ? rigs : 0, channels_live: pool === at ? 2 : 1,
      job_age_s: jobs, shares: pool === at ? shares : this.#shares(Math.floor(sent / 9), MIX.good, rate),
      rejections: pool === at ? [{ kind: 'stale', reason: 'job … not found (21)', shares: 12, work_hashes: 5e13 }] : [],
      hashrate: pool === at ? hashrate : nothing, ...rest,
    });
    const down = this.outage ? { health: 'down', cause: 'it told no job for 94 s', health_s: 2040, channels_live: 0, job_age_s: null } : {};
    const pools = name === 'aion' ? [pool('aion-main', 0, {})]
      : [pool('pool-a', 0, down), pool('pool-b', 1, {}), pool('pool-c', 2, { health: 'unknown', health_s: null, job_age_s: null, channels_live: 0 })];
    const traffic = {
      from_rigs_bytes: 120 * sent, to_rigs_bytes: 90 * sent, from_pools_bytes: 40 * sent, to_pools_bytes: 100 * sent,
      rigs_banned: 0, rigs_penalised: 1,
    };
    const channel = (id, of, used) => ({
      id, pool: of, state: 'live', extranonce1: `0a1b2c0${id}`, prefix_bytes: 1, leases_used: used, leases_total: 250,
      dedicated: false, job_age_s: jobs,
    });
    return {
      name, dialect: name === 'aion' ? 'aion' : 'hstratum', gate: 'open', rigs, rigs_waiting: 0, rigs_came: rigs + 9, rigs_went: 9,
      listen: name === 'aion' ? ['[::]:3333'] : ['[::]:3008', 'tls://[::]:3443'], pools,
      channels: rigs ? [channel(1, at, Math.min(245, rigs)), channel(2, at, Math.max(0, Math.min(250, rigs - 245)))] : [],
      shares, hashrate, job_age_s: jobs, preferred_pool: name === 'hns' ? this.preferred : null, traffic,
    };
  }

  summary(now) {
    return {
      version: '0.1.0', pid: 4711, at: new Date(now).toISOString(), started_at: new Date(this.began).toISOString(),
      uptime_s: (now - this.began) / 1000, panics: 0, open_files: this.workers.length + 40, open_files_limit: 1048576,
      limits_met: { connections_per_address: 0, accepts_per_second: 12 },
      routes: this.workers.length === 0 && this.empty ? [] : ['hns', 'aion'].map((name) => this.route(name, now)),
    };
  }

  diagnostics(now) {
    if (!this.workers.length) return [];
    const named = (test) => this.workers.filter(({ route }) => route === 'hns').filter(test).map(({ name }) => name);
    const one = (code, severity, age_s, subject, meaning, detail, people, remedy) => ({
      code, severity, age_s: age_s + (now % 86400000) / 1e6, route: 'hns', subject, meaning, detail, count: people.length,
      named: people.slice(0, 20), remedy, link: `https://github.com/orepass/orepass/blob/main/docs/monitoring.md#${code}`,
    });
    const people = (code, subject, test, meaning, remedy) => {
      const found = named(test);
      return found.length ? [one(code, 'warning', 900, subject, meaning, found.length === 1 ? found[0] : `${found.length} rigs`, found, remedy)] : [];
    };
    return [
      ...(this.outage ? [
        one('pool_down', 'warning', 2040, 'pool-a', 'the pool is of no use', 'it told no job for 94 s', [],
          '`orepass check` tries it step by step; others serve meanwhile if there are any'),
        one('on_backup', 'info', 1860, 'pool-b', 'rigs mine at a pool that is not the first choice', 'pool-b', [],
          'nothing: they go back once the better pool has been healthy for a while')] : []),
      ...people('rigs_quarantined', '', ({ state }) => state === 'quarantined',
        'most shares of these rigs are bad: they are checked, and not counted as good before they are',
        'look at the guess beside it, at the rig’s coin and algorithm, and at its boards'),
      ...people('rigs_silent', '', ({ state, name }) => state === 'silent' || name === HOSTILE.image,
        'these rigs are connected and have sent no share for long', 'restart them'),
      ...people('workers_offline', '', ({ state }) => state === 'offline',
        'these workers mined, and no rig of theirs is connected any more', 'look at their power and network'),
      ...people('rate_low', '', ({ low }) => low, 'these workers do less than 70 % of what they usually do',
        'look at their boards and temperatures').map((found) => ({ ...found, named: found.named.map((name) => `${name} (1.29 TH/s of 2.57 TH/s)`) })),
    ];
  }

  history({ kind, route, name, from, to, step }) {
    const people = this.workers.filter((worker) => worker.route === route && (kind !== 'worker' || worker.name === name));
    const rate = people.reduce((sum, worker) => sum + worker.rate, 0);
    const points = [];
    for (let at = Math.ceil(from / step) * step; at < to; at += step) {
      if (at * 1000 < this.began + 3600000) continue;
      const roll = dice(at)();
      const age = Date.now() / 1000 - at;
      const held = this.outage && route === 'hns' && age < 2040 && age > 1860;
      if (held && step === 60) continue;
      const hashes = rate * step * (0.97 + 0.06 * roll) * (1 + 0.04 * Math.sin(at / 9000));
      const mix = people[0]?.mix ?? MIX.good;
      points.push({
        at: new Date(1000 * at).toISOString(), online_s: step,
        shares: Object.fromEntries(VERDICTS.map((verdict) => [verdict, Math.round(10 * people.length * (mix[verdict] ?? 0))])),
        work_hashes: Object.fromEntries(VERDICTS.map((verdict) => [verdict, hashes * (mix[verdict] ?? 0)])),
        credited_hashes: hashes * (mix.accepted_by_pool ?? 0),
        credited_hashes: hashes * (mix === MIX.good ? 0.98 : 0.02) * (0.96 + 0.06 * dice(at + 1)()),
      });
    }
    return points;
  }

  kick(id) {
    const rig = this.rigs().find((worker) => `${worker.route}-${worker.serial}` === id);
    if (!rig) return false;
    this.kicked.push(id);
    this.#say(Date.now(), 'info', 'api.act', 'rig kicked', { route: rig.route, rig: rig.name, fields: { who: 'operator', id } });
    rig.serial += 100000;
    return true;
  }

  happen(level, id, message, rest) {
    this.#say(Date.now(), level, id, message, rest);
  }
}
