// Numbers and times as people read them, and texts from outside as they can be shown. Pure functions.

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const GROUPED = new Intl.NumberFormat('en');

/** With three digits that count and a unit: 1.93 TH/s. */
export function scaled(number, unit) {
  if (number === null || number === undefined || !Number.isFinite(number)) return '–';
  let at = 0;
  let shown = Math.abs(number);
  while (shown >= 999.5 && at < PREFIXES.length - 1) {
    shown /= 1000;
    at += 1;
  }
  const digits = shown >= 99.95 || shown === 0 ? 0 : shown >= 9.995 ? 1 : 2;
  return `${number < 0 ? '−' : ''}${shown.toFixed(digits)} ${PREFIXES[at]}${unit}`;
}

/** A rate: hashes a second. */
export const rate = (hs) => scaled(hs, 'H/s');

/** Work: hashes. */
export const work = (hashes) => scaled(hashes, 'H');

export const count = (number) =>
  number === null || number === undefined ? '–' : GROUPED.format(number);

/** With its word: one share, two shares. */
export const many = (number, word) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

/** Some coins' difficulties are far below 1. */
export function difficulty(number) {
  if (number === null || number === undefined) return '–';
  return number !== 0 && Math.abs(number) < 1 ? String(Number(number.toPrecision(3))) : count(number);
}

/** Two units at most, the larger first: 2 h 5 min. */
export function age(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return minutes < 10 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const ago = (seconds) =>
  seconds === null || seconds === undefined ? 'never' : `${age(seconds)} ago`;

/** A part of a whole; a dash where there is no whole. */
export function percent(part, whole, digits = 1) {
  if (!(whole > 0) || !Number.isFinite(part)) return '–';
  const shown = (100 * part) / whole;
  // What there is must not look as if there were none.
  if (shown > 0 && shown < 10 ** -digits) return `< ${(10 ** -digits).toFixed(digits)} %`;
  return `${shown.toFixed(digits)} %`;
}

const two = (number) => String(number).padStart(2, '0');

/** The time of the day, here. */
export function clock(date, withSeconds = true) {
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return withSeconds ? `${time}:${two(date.getSeconds())}` : time;
}

export const day = (date) =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** A moment, given as RFC 3339. */
export function moment(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? '–' : `${day(date)} ${clock(date)}`;
}

// Characters that are not seen themselves, or change how others are seen: two names that look the same
// are to be the same.
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** A text from outside, its unseen characters named and of a length that a page bears. */
export function said(text, longest = 80) {
  if (text === null || text === undefined) return '–';
  const whole = String(text);
  // A character may be two units of text, of which the cut must not leave one.
  const cut = whole.length > longest ? `${whole.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…` : whole;
  return cut.replace(UNSEEN, (unseen) => `\\u{${unseen.codePointAt(0).toString(16)}}`);
}
