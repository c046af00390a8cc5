/** What can be undone: strokes and results, in the order in which they were made. */

/** @typedef {{undo: () => void | Promise<void>, redo: () => void | Promise<void>, discard?: () => void}} Entry */

const MAX_ENTRIES = 100;

export class History {
  /** @type {Entry[]} */
  #past = [];
  /** @type {Entry[]} */
  #future = [];
  #busy = false;

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** @param {Entry} entry Something that has been done. */
  push(entry) {
    this.#past.push(entry);
    if (this.#past.length > MAX_ENTRIES) this.#past.shift()?.discard?.();
    for (const undone of this.#future) undone.discard?.();
    this.#future = [];
  }

  /** @returns {Promise<boolean>} Whether there was something to undo. */
  undo() {
    return this.#move(this.#past, this.#future, "undo");
  }

  /** @returns {Promise<boolean>} Whether there was something to redo. */
  redo() {
    return this.#move(this.#future, this.#past, "redo");
  }

  /**
   * @param {Entry[]} from
   * @param {Entry[]} to
   * @param {"undo" | "redo"} step
   */
  async #move(from, to, step) {
    // A result may have to be decoded again; a second key press meanwhile must not overtake it.
    if (this.#busy) return false;
    const entry = from.pop();
    if (!entry) return false;
    this.#busy = true;
    to.push(entry);
    try {
      await entry[step]();
      return true;
    } catch (error) {
      to.pop();
      from.push(entry);
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  clear() {
    for (const entry of [...this.#past, ...this.#future]) entry.discard?.();
    this.#past = [];
    this.#future = [];
  }
}
