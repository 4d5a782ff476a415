// Light, dark, or as the system has it.

const KEY = 'orepass-theme';
const ORDER = ['system', 'light', 'dark'];
const WORDS = { system: '◐ As the system', light: '☀ Light', dark: '☾ Dark' };

const chosen = () => {
  const kept = localStorage.getItem(KEY);
  return ORDER.includes(kept) ? kept : 'system';
};

export const word = () => WORDS[chosen()];

export function apply() {
  document.documentElement.dataset.theme = chosen();
  dispatchEvent(new Event('orepass-theme'));
}

export function turn() {
  localStorage.setItem(KEY, ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]);
  apply();
}
