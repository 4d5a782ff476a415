// When the proxy is asked next. Policy alone: the time comes as an argument, in milliseconds.

const USUAL = 1000;
const LONGEST = 15000;

export class Pace {
  #failures = 0;
  /** Since when nothing has come; null while all is well. */
  lostSince = null;
  /** When it is asked next. */
  due = 0;

  succeeded(now) {
    this.#failures = 0;
    this.lostSince = null;
    this.due = now + USUAL;
  }

  /** `luck`, from 0 to 1, keeps many pages from asking all at once. */
  failed(now, luck) {
    this.lostSince ??= now;
    const wait = Math.min(LONGEST, USUAL * 2 ** this.#failures);
    this.#failures += 1;
    this.due = now + wait * (0.75 + luck / 4);
  }

  /** Somebody does not want to wait. */
  hurry(now) {
    this.due = now;
  }
}
