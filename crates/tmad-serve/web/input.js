/** Mouse, pen, touch and keys over the stage, turned into strokes of the tools, zoom and pan. */

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Point} Point */
/** @typedef {"object" | "brush" | "eraser" | "lasso" | "box" | "hand"} ToolName */
/**
 * What the stage's input asks the page for.
 * @typedef {object} Target
 * @property {() => ToolName} tool
 * @property {() => boolean} canPaint
 * @property {(point: Point, erase: boolean, pressure: number) => void} strokeStart
 * @property {(points: {point: Point, pressure: number}[]) => void} strokeMove
 * @property {() => void} strokeEnd
 * @property {() => void} strokeCancel
 * @property {(point: Point | null, byKeyboard: boolean) => void} hover
 * @property {(steps: number) => void} resizeBrush
 * @property {() => number} cursorStep Pixels of the picture per arrow key.
 * @property {() => void} viewChanged
 * @property {(direction: Point) => boolean} arrow Handles an arrow key before the cursor does.
 */

const PEN_ERASER_BUTTON = 32;
const SECONDARY_BUTTON = 2;
/** A second finger within this time after the first one means a pinch, not a stroke. */
const PINCH_GRACE_MS = 250;

const ARROWS = /** @type {Record<string, Point>} */ ({
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
});

export class StageInput {
  /** @type {Map<number, PointerEvent>} */
  #pointers = new Map();
  /** What the pointers do at the moment. @type {"" | "stroke" | "pan" | "pinch"} */
  #action = "";
  #actionStart = 0;
  #spaceHeld = false;
  #keyboardStroke = false;
  /** Once a pen has been seen, fingers only move the picture: a resting palm draws nothing. */
  #penSeen = false;
  /** The keyboard's cursor, in pixels of the picture. @type {Point | null} */
  cursor = null;

  /**
   * @param {HTMLElement} stage
   * @param {View} view
   * @param {Target} target
   */
  constructor(stage, view, target) {
    this.stage = stage;
    this.view = view;
    this.target = target;
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#up(event, true));
    stage.addEventListener("pointerleave", () => this.#leave());
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("keydown", (event) => this.#keyDown(event));
    stage.addEventListener("keyup", (event) => this.#keyUp(event));
    stage.addEventListener("blur", () => this.#blur());
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Point} */
  #place(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {PointerEvent} event */
  #pressure(event) {
    return event.pointerType === "pen" && event.pressure > 0 ? event.pressure : 0.5;
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.pointerType === "mouse" && event.button > 2) return;
    this.stage.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, event);
    this.#penSeen ||= event.pointerType === "pen";
    this.cursor = null;
    if (this.#pointers.size === 2) {
      this.#startPinch();
      return;
    }
    if (this.#pointers.size > 2 || this.#action) return;
    this.#actionStart = event.timeStamp;
    const fingerPans = event.pointerType === "touch" && this.#penSeen;
    if (event.button === 1 || this.#spaceHeld || fingerPans || this.target.tool() === "hand" || !this.target.canPaint()) {
      this.#action = "pan";
      this.stage.dataset.panning = "";
      return;
    }
    this.#action = "stroke";
    const erase = event.altKey || (event.buttons & (PEN_ERASER_BUTTON | SECONDARY_BUTTON)) !== 0;
    this.target.strokeStart(this.view.toPicture(this.#place(event)), erase, this.#pressure(event));
  }

  #startPinch() {
    const now = performance.now();
    if (this.#action === "stroke") {
      if (now - this.#actionStart < PINCH_GRACE_MS) this.target.strokeCancel();
      else this.target.strokeEnd();
    }
    this.#action = "pinch";
    this.target.hover(null, false);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (before) this.#pointers.set(event.pointerId, event);
    const place = this.#place(event);
    if (this.#action === "pinch" && before) {
      this.#pinch(event, before);
    } else if (this.#action === "pan" && before) {
      this.view.panBy(event.clientX - before.clientX, event.clientY - before.clientY);
      this.target.viewChanged();
    } else if (this.#action === "stroke" && before) {
      const events = event.getCoalescedEvents?.() ?? [];
      this.target.strokeMove(
        (events.length ? events : [event]).map((part) => ({
          point: this.view.toPicture(this.#place(part)),
          pressure: this.#pressure(part),
        })),
      );
    }
    if (this.#action !== "pinch" && this.#action !== "pan" && !this.#keyboardStroke) {
      this.cursor = null;
      this.target.hover(this.view.toPicture(place), false);
    }
  }

  /**
   * @param {PointerEvent} event
   * @param {PointerEvent} before
   */
  #pinch(event, before) {
    const other = [...this.#pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    if (!other) return;
    const [a, b, fixed] = [this.#place(before), this.#place(event), this.#place(other)];
    const distanceBefore = Math.hypot(a.x - fixed.x, a.y - fixed.y);
    const distance = Math.hypot(b.x - fixed.x, b.y - fixed.y);
    const middle = { x: (b.x + fixed.x) / 2, y: (b.y + fixed.y) / 2 };
    this.view.panBy((b.x - a.x) / 2, (b.y - a.y) / 2);
    if (distanceBefore > 8) this.view.zoomTo((this.view.scale * distance) / distanceBefore, middle);
    this.target.viewChanged();
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} [cancelled]
   */
  #up(event, cancelled = false) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#action === "stroke") {
      if (cancelled) this.target.strokeCancel();
      else this.target.strokeEnd();
      this.#action = "";
    } else if (this.#pointers.size === 0) {
      this.#action = "";
    }
    delete this.stage.dataset.panning;
    if (event.pointerType === "touch") this.target.hover(null, false);
  }

  #leave() {
    if (!this.#action && !this.cursor) this.target.hover(null, false);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 32 : 1;
    // With a modifier some systems turn a vertical wheel into a horizontal one.
    const delta = (Math.abs(event.deltaY) >= Math.abs(event.deltaX) ? event.deltaY : event.deltaX) * unit;
    if (event.altKey || event.shiftKey) {
      if (delta !== 0) this.target.resizeBrush(-Math.sign(delta));
      return;
    }
    // Two fingers on a touchpad move in small steps, often sideways; a wheel in large ones.
    const touchpad = !event.ctrlKey && !event.metaKey && (event.deltaX !== 0 || Math.abs(delta) < 40);
    if (touchpad) {
      this.view.panBy(-event.deltaX * unit, -event.deltaY * unit);
    } else {
      const speed = event.ctrlKey && Math.abs(delta) < 40 ? 0.01 : 0.0018;
      this.view.zoomTo(this.view.scale * Math.exp(-delta * speed), this.#place(event));
    }
    this.target.viewChanged();
    this.target.hover(this.view.toPicture(this.#place(event)), false);
  }

  /** @param {KeyboardEvent} event */
  #keyDown(event) {
    if (event.ctrlKey || event.metaKey) return;
    const direction = ARROWS[event.key];
    if (direction) {
      event.preventDefault();
      if (!this.target.arrow(direction)) this.#moveCursor(direction, event.shiftKey);
    } else if (event.key === " ") {
      event.preventDefault();
      if (event.repeat) return;
      if (!this.cursor || this.target.tool() === "hand" || !this.target.canPaint()) {
        this.#spaceHeld = true;
        this.stage.dataset.hand = "";
      } else if (!this.#action) {
        this.#keyboardStroke = true;
        this.target.strokeStart(this.cursor, event.altKey, 0.5);
      }
    }
  }

  /**
   * @param {Point} direction
   * @param {boolean} far
   */
  #moveCursor(direction, far) {
    if (this.target.tool() === "hand") {
      this.view.panBy(-direction.x * 60, -direction.y * 60);
      this.target.viewChanged();
      return;
    }
    const { view } = this;
    const start = this.cursor ?? view.toPicture({ x: view.stageWidth / 2, y: view.stageHeight / 2 });
    const step = this.target.cursorStep() * (far ? 5 : 1);
    this.cursor = {
      x: Math.min(Math.max(start.x + direction.x * step, 0), view.pictureWidth),
      y: Math.min(Math.max(start.y + direction.y * step, 0), view.pictureHeight),
    };
    view.reveal(this.cursor, 48);
    this.target.viewChanged();
    if (this.#keyboardStroke) this.target.strokeMove([{ point: this.cursor, pressure: 0.5 }]);
    this.target.hover(this.cursor, true);
  }

  /** @param {KeyboardEvent} event */
  #keyUp(event) {
    if (event.key !== " ") return;
    this.#releaseSpace();
  }

  #releaseSpace() {
    this.#spaceHeld = false;
    delete this.stage.dataset.hand;
    if (this.#keyboardStroke) {
      this.#keyboardStroke = false;
      this.target.strokeEnd();
    }
  }

  #blur() {
    this.#releaseSpace();
    if (this.cursor) {
      this.cursor = null;
      this.target.hover(null, true);
    }
  }
}
