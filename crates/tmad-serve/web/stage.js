/** The stage: the picture in its view, the tools that mark on it, and the squares of an explanation. */

import { number, percent, t } from "./i18n.js";
import { StageInput } from "./input.js";
import { Renderer } from "./renderer.js";
import { boxStroke, brushStroke, lassoStroke, scribbleStroke } from "./tools.js";
import * as ui from "./ui.js";
import { View } from "./view.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./explain.js").ExplainView} ExplainView */
/** @typedef {import("./input.js").ToolName} ToolName */
/** @typedef {import("./tools.js").Stroke} Stroke */
/** @typedef {import("./view.js").Point} Point */

const MIN_BRUSH_PX = 2;
const BRUSH_STEP = 1.18;
/** A scribble is thin on the screen, so that it stays on the thing. */
const SCRIBBLE_PX = 5;
/** Squares that are smaller on the screen are hard to point at. */
const LEAST_SQUARE_PX = 18;
/** The cursor's place is read out once it rests. */
const REST_MS = 350;

export class Stage {
  element = ui.byId("stage");
  view = new View();
  renderer = new Renderer(this.view, {
    picture: /** @type {HTMLCanvasElement} */ (ui.byId("layer-picture")),
    mask: /** @type {HTMLCanvasElement} */ (ui.byId("layer-mask")),
    overlay: /** @type {HTMLCanvasElement} */ (ui.byId("layer-overlay")),
  });
  /** @type {ExplainView | null} */
  explained = null;
  /** @type {ToolName} */
  #tool = "brush";
  /** Diameter in pixels of the picture. */
  #brushPx = 40;
  /** @type {Stroke | null} */
  #stroke = null;
  #strokeErases = false;
  /** @type {Point | null} */
  #pointer = null;
  #pointerIsKeyboard = false;
  #speakTimer = 0;
  #slider = /** @type {HTMLInputElement} */ (ui.byId("brush-size"));

  /**
   * @param {Editor} editor
   * @param {() => void} onStrokeStart
   * @param {(points: Point[], radius: number) => void} onScribble
   * @param {() => void} onMarked Called after a stroke that marked something itself.
   */
  constructor(editor, onStrokeStart, onScribble, onMarked) {
    this.editor = editor;
    this.onStrokeStart = onStrokeStart;
    this.onScribble = onScribble;
    this.onMarked = onMarked;
    this.#listen();
    this.setTool("brush");
    new ResizeObserver(() => {
      this.measure();
      this.viewChanged();
    }).observe(this.element);
    this.#slider.addEventListener("input", () => {
      const range = Math.log(this.#largestBrush / MIN_BRUSH_PX);
      this.#setBrush(MIN_BRUSH_PX * Math.exp((Number(this.#slider.value) / 100) * range));
    });
  }

  get isBusy() {
    return this.#stroke !== null;
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  // --- View ---

  /** Takes over the size of the stage, less what floats over it. */
  measure() {
    const { clientWidth, clientHeight } = this.element;
    const narrow = clientWidth < 600;
    const margin = narrow ? 10 : 28;
    this.view.setStage(clientWidth, clientHeight, { top: margin, left: margin, right: margin, bottom: narrow ? 62 : 74 });
    this.renderer.resize();
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  showPicture(width, height) {
    this.measure();
    this.view.setPicture(width, height);
    this.#setBrush(Math.max(Math.min(width, height) * 0.06, 12));
    this.viewChanged();
  }

  viewChanged() {
    ui.byId("zoom-value").textContent = percent(this.view.scale);
    this.renderer.invalidate();
    this.updateSketch();
  }

  fit() {
    this.view.fit();
    this.viewChanged();
  }

  /** @param {number} scale */
  zoomTo(scale) {
    const atCursor = this.#pointerIsKeyboard && this.#pointer;
    this.view.zoomTo(scale, atCursor ? this.view.toStage(atCursor) : undefined);
    this.viewChanged();
  }

  // --- Tools ---

  /** @param {ToolName} name */
  setTool(name) {
    this.#tool = name;
    this.element.dataset.tool = name;
    for (const button of document.querySelectorAll("button[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-tool") === name));
    }
    this.updateSketch();
  }

  get #largestBrush() {
    return Math.max(Math.min(this.view.pictureWidth, this.view.pictureHeight) / 2, MIN_BRUSH_PX * 2);
  }

  /** @param {number} px */
  #setBrush(px) {
    this.#brushPx = Math.min(Math.max(px, MIN_BRUSH_PX), this.#largestBrush);
    // Sizes are felt as ratios.
    const range = Math.log(this.#largestBrush / MIN_BRUSH_PX);
    const position = (Math.log(this.#brushPx / MIN_BRUSH_PX) / range) * 100;
    const text = t("{count} px", { count: number(Math.round(this.#brushPx)) });
    this.#slider.value = String(position);
    this.#slider.style.setProperty("--fill", `${position}%`);
    this.#slider.setAttribute("aria-valuetext", text);
    ui.byId("brush-size-value").textContent = text;
    this.updateSketch();
  }

  /** @param {number} steps */
  resizeBrush(steps) {
    this.#setBrush(this.#brushPx * BRUSH_STEP ** steps);
  }

  /** Draws the brush where the pointer is, or the shape that is being drawn. */
  updateSketch() {
    this.renderer.sketch = this.#sketch();
    this.renderer.invalidate("overlay");
  }

  #sketch() {
    if (this.explained || this.editor.isRunning || !this.editor.mask) return null;
    const shape = this.#stroke?.sketch();
    if (shape) return shape;
    const paints = this.#tool === "brush" || this.#tool === "eraser";
    const radius = paints ? this.#brushPx / 2 : this.#tool === "object" ? SCRIBBLE_PX / this.view.scale : 0;
    if (!this.#pointer || this.#tool === "hand" || (!radius && !this.#pointerIsKeyboard)) return null;
    return {
      kind: /** @type {const} */ ("ring"),
      at: this.#pointer,
      radius,
      erase: this.#stroke ? this.#strokeErases : this.#tool === "eraser",
      cross: this.#pointerIsKeyboard,
    };
  }

  #listen() {
    new StageInput(this.element, this.view, {
      tool: () => (this.explained ? "brush" : this.#tool),
      canPaint: () => Boolean(this.editor.mask) && !this.editor.isRunning,
      strokeStart: (point, erase, pressure) => this.#startStroke(point, erase, pressure),
      strokeMove: (points) => this.#moveStroke(points),
      strokeEnd: () => this.#endStroke(),
      strokeCancel: () => {
        this.#stroke = null;
        this.editor.mask?.rollback();
        this.renderer.invalidate("mask");
        this.updateSketch();
      },
      hover: (point, byKeyboard) => this.#hover(point, byKeyboard),
      resizeBrush: (steps) => this.resizeBrush(steps),
      cursorStep: () => (["object", "lasso", "box"].includes(this.#tool) ? 8 / this.view.scale : Math.max(this.#brushPx / 4, 1)),
      viewChanged: () => this.viewChanged(),
      arrow: (direction) => {
        if (!this.explained) return false;
        if (this.explained.chooseTowards(direction)) this.#squareChosen(true);
        return true;
      },
    });
  }

  /**
   * @param {Point} point
   * @param {boolean} erase
   * @param {number} pressure
   */
  #startStroke(point, erase, pressure) {
    if (this.explained) {
      this.#chooseSquare(point);
      return;
    }
    const { mask } = this.editor;
    if (!mask) return;
    this.onStrokeStart();
    const erases = erase || this.#tool === "eraser";
    this.#strokeErases = erases;
    mask.begin();
    if (this.#tool === "object" && !erases) {
      this.#stroke = scribbleStroke(mask, point, SCRIBBLE_PX / this.view.scale, this.onScribble);
    } else if (this.#tool === "lasso") this.#stroke = lassoStroke(mask, point, erases);
    else if (this.#tool === "box") this.#stroke = boxStroke(mask, point, erases);
    else this.#stroke = brushStroke(mask, point, this.#brushPx / 2, pressure, erases);
    this.renderer.invalidate("mask");
  }

  /** @param {{point: Point, pressure: number}[]} points */
  #moveStroke(points) {
    const last = points.at(-1);
    if (this.explained) {
      if (last) this.#chooseSquare(last.point);
      return;
    }
    for (const { point, pressure } of points) this.#stroke?.move(point, pressure);
    this.updateSketch();
    this.renderer.invalidate("mask");
  }

  #endStroke() {
    if (!this.#stroke) return;
    const stroke = this.#stroke;
    this.#stroke = null;
    const changed = this.editor.commitStroke(stroke.finish);
    if (changed && this.#tool !== "object" && !this.#strokeErases) this.onMarked();
    if (changed && this.#pointerIsKeyboard) ui.announce(ui.byId("marked").textContent ?? "");
    this.updateSketch();
  }

  /**
   * @param {Point | null} point
   * @param {boolean} byKeyboard
   */
  #hover(point, byKeyboard) {
    this.#pointer = point;
    this.#pointerIsKeyboard = byKeyboard;
    if (this.explained && point) this.#chooseSquare(point);
    this.updateSketch();
    clearTimeout(this.#speakTimer);
    if (!byKeyboard || !point || this.#stroke) return;
    this.#speakTimer = setTimeout(() => {
      const place = { x: number(Math.round(point.x)), y: number(Math.round(point.y)) };
      ui.announce(this.editor.mask?.isMarked(point) ? t("{x}, {y}, marked", place) : t("{x}, {y}", place));
    }, REST_MS);
  }

  // --- Where the texture came from ---

  /** @param {ExplainView} next */
  enterExplain(next) {
    this.explained = next;
    document.body.dataset.explain = "all";
    ui.byId("tools").inert = true;
    ui.byId("toggle-explain").setAttribute("aria-pressed", "true");
    this.renderer.hideMask = true;
    this.renderer.extra = (context) => next.draw(context, this.view);
    this.measure();
    if (next.side * this.view.scale < LEAST_SQUARE_PX) {
      const { x, y, width, height } = next.bounds;
      this.view.zoomTo(Math.min(this.view.stageWidth / (width * 2.6), this.view.stageHeight / (height * 2.6), 4));
      const middle = this.view.toStage({ x: x + width / 2, y: y + height / 2 });
      this.view.panBy(this.view.stageWidth / 2 - middle.x, this.view.stageHeight / 2 - middle.y);
    }
    this.viewChanged();
    this.focus();
    ui.announce(`${t("Where it came from")}. ${t("The arrow keys choose a square.")}`);
  }

  leaveExplain() {
    if (!this.explained) return;
    this.explained = null;
    document.body.removeAttribute("data-explain");
    ui.byId("tools").inert = false;
    ui.byId("toggle-explain").setAttribute("aria-pressed", "false");
    this.renderer.hideMask = false;
    this.renderer.extra = null;
    this.measure();
    this.viewChanged();
    this.focus();
  }

  /** @param {number} steps */
  nextSquare(steps) {
    if (this.explained?.chooseNext(steps)) this.#squareChosen(true);
  }

  /** @param {Point} point */
  #chooseSquare(point) {
    if (this.explained?.chooseAt(point)) this.#squareChosen(false);
  }

  /** @param {boolean} byKeyboard */
  #squareChosen(byKeyboard) {
    document.body.dataset.explain = "one";
    this.renderer.invalidate("overlay");
    if (!byKeyboard || !this.explained) return;
    if (this.explained.focus) {
      this.view.reveal(this.explained.focus, 40);
      this.viewChanged();
    }
    ui.announce(this.explained.description);
  }
}
