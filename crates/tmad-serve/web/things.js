/** Whole things: a scribble that grows to a border, a rim that cuts through one, soft edges. */

import { number, t } from "./i18n.js";
import { withToken } from "./service.js";
import * as ui from "./ui.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./select.js").Found} Found */

/** Soft edges of a thing take up about this share of a picture's longest side. */
const GROW_SHARE = 0.002;
const LEAST_GROW_PX = 2;
/** The rim is looked at once the hand rests. */
const REST_MS = 600;

export class Things {
  #slider = /** @type {HTMLInputElement} */ (ui.byId("grow"));
  /** The thing that goes on beyond what is marked. @type {Found | null} */
  #cut = null;
  #timer = 0;

  /**
   * @param {Editor} editor
   * @param {() => boolean} isStroking
   */
  constructor(editor, isStroking) {
    this.editor = editor;
    this.isStroking = isStroking;
    this.#slider.addEventListener("input", () => this.#showGrow());
  }

  // --- Soft edges ---

  /** By how much the marked area is enlarged. */
  get growPx() {
    return Number(this.#slider.value);
  }

  /** Takes in soft edges as they are in pictures of this size. @param {{width: number, height: number}} picture */
  enlargeFor({ width, height }) {
    this.#slider.value = String(Math.max(Math.round(Math.max(width, height) * GROW_SHARE), LEAST_GROW_PX));
    this.#showGrow();
  }

  #showGrow() {
    const text = t("{count} px", { count: number(this.growPx) });
    this.#slider.setAttribute("aria-valuetext", text);
    this.#slider.style.setProperty("--fill", `${(this.growPx / Number(this.#slider.max)) * 100}%`);
    ui.byId("grow-value").textContent = text;
  }

  // --- Scribbles ---

  /**
   * Grows a scribble to the border of the thing it lies on.
   * @param {import("./view.js").Point[]} points
   * @param {number} radius
   */
  async select(points, radius) {
    const before = this.editor.mask?.marked;
    await withToken(() => this.editor.selectThing(points, radius));
    if (this.editor.mask?.marked !== before) ui.announce(ui.byId("marked").textContent ?? "");
  }

  // --- Rims ---

  /** Looks whether what is marked cuts through a thing, and says so. */
  lookAtRim() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const { editor } = this;
      const { mask } = editor;
      const marked = mask?.marked;
      const thing = await editor.findCutThing();
      const isTheSame = mask === editor.mask && marked === mask?.marked;
      if (isTheSame && !editor.isRunning && !this.isStroking()) this.showHint(thing);
    }, REST_MS);
  }

  /** @param {Found | null} thing */
  showHint(thing) {
    clearTimeout(this.#timer);
    this.#cut = thing;
    ui.byId("hint").hidden = !thing;
  }

  markCutThing() {
    if (this.#cut && !this.editor.isRunning) this.editor.markThing(this.#cut);
    this.showHint(null);
  }
}
