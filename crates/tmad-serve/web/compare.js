/** Before and after: held for a look, or side by side with a slider between them. */

import * as ui from "./ui.js";

/** @typedef {import("./renderer.js").Renderer} Renderer */

const KEY_STEPS = /** @type {Record<string, number>} */ ({
  ArrowLeft: -0.02,
  ArrowDown: -0.02,
  ArrowRight: 0.02,
  ArrowUp: 0.02,
  PageDown: -0.1,
  PageUp: 0.1,
  Home: -1,
  End: 1,
});

export class Comparison {
  /**
   * @param {Renderer} renderer
   * @param {HTMLElement} stage
   * @param {() => boolean} hasResult
   */
  constructor(renderer, stage, hasResult) {
    this.renderer = renderer;
    this.stage = stage;
    this.hasResult = hasResult;
    this.divider = ui.byId("divider");
    this.#listenToHold(ui.byId("hold-before"));
    this.#listenToDivider();
    window.addEventListener("blur", () => this.hold(false));
  }

  /** Whether the slider is there. */
  get isSplit() {
    return this.renderer.split !== null;
  }

  /** Shows the picture as it was for as long as something is held. @param {boolean} on */
  hold(on) {
    this.renderer.showBefore = on && this.hasResult();
    ui.byId("badge-before").hidden = !this.renderer.showBefore && !this.isSplit;
    ui.byId("hold-before").setAttribute("aria-pressed", String(this.renderer.showBefore));
    this.renderer.invalidate();
  }

  /** @param {number | null} share Of the stage's width left of the slider, or null to end it. */
  split(share) {
    if (share === null && !this.isSplit) return;
    const at = share === null ? null : Math.min(Math.max(share, 0), 1);
    this.renderer.split = at;
    this.divider.hidden = ui.byId("badge-before").hidden = ui.byId("badge-after").hidden = at === null;
    ui.byId("toggle-slider").setAttribute("aria-pressed", String(at !== null));
    if (at !== null) {
      this.divider.style.left = `${at * 100}%`;
      this.divider.setAttribute("aria-valuenow", String(Math.round(at * 100)));
    }
    this.renderer.invalidate("picture");
  }

  toggleSlider() {
    if (!this.hasResult()) return;
    if (this.isSplit) {
      this.split(null);
      this.stage.focus({ preventScroll: true });
    } else {
      this.split(0.5);
      this.divider.focus();
    }
  }

  /** @param {HTMLElement} button */
  #listenToHold(button) {
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      this.hold(true);
    });
    for (const name of ["pointerup", "pointercancel", "blur", "keyup"]) {
      button.addEventListener(name, () => this.hold(false));
    }
    button.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") this.hold(true);
    });
    // A finger that rests would open the browser's menu.
    button.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  #listenToDivider() {
    const { divider } = this;
    divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
    divider.addEventListener("pointermove", (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = this.stage.getBoundingClientRect();
      this.split((event.clientX - box.left) / box.width);
    });
    divider.addEventListener("keydown", (event) => {
      const step = KEY_STEPS[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.split((this.renderer.split ?? 0.5) + step);
    });
  }
}
