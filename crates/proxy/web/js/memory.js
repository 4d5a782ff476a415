// What a view has fetched. Things that change slowly are asked for more seldom than once a second.

export class Memory {
  #kept = new Map();

  /** As it was fetched less than `seconds` ago, or anew. A change of `key` makes it another thing. */
  async every(seconds, key, now, fetch) {
    const known = this.#kept.get(key);
    if (known && now - known.at < 1000 * seconds) return known.value;
    const value = await fetch();
    this.#kept.set(key, { at: now, value });
    return value;
  }

  forget() {
    this.#kept.clear();
  }
}
