/**
 * Draws the stage in three layers, so that a stroke redraws the mask and not the picture, and a
 * moving pointer neither of them. Nothing is ever read back from these canvases.
 */

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./mask.js").TiledMask} TiledMask */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Point} Point */
/** @typedef {"picture" | "mask" | "overlay"} Layer */
/** A tool's shape while it is drawn, in pixels of the picture.
 * @typedef {{kind: "ring", at: Point, radius: number, erase: boolean, cross: boolean}
 *   | {kind: "path", points: Point[], erase: boolean}} Sketch */

/** The hole's colour, here and in the style sheet. */
const HOLE = "233 69 36";
const STRIPE_PX = 9;
const FADE_MS = 450;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot draw on a canvas");
  return context;
}

/** @param {CanvasRenderingContext2D} context */
function clear(context) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
}

export class Renderer {
  /** @type {Picture | null} */
  picture = null;
  /** The picture that comparing shows. @type {Picture | null} */
  before = null;
  /** @type {TiledMask | null} */
  mask = null;
  /** Share of the stage left of which `before` is drawn, or null. @type {number | null} */
  split = null;
  showBefore = false;
  /** Whether the stripes of the hole move. */
  running = false;
  /** @type {Sketch | null} */
  sketch = null;
  /** Draws over everything else. @type {((context: CanvasRenderingContext2D) => void) | null} */
  extra = null;
  /** Whether the hole is not to be seen. */
  hideMask = false;

  /** @type {Set<Layer>} */
  #dirty = new Set();
  #frame = 0;
  #dpr = 1;
  #fadeStart = 0;
  #fadeTiles = /** @type {TiledMask | null} */ (null);

  /**
   * @param {View} view
   * @param {{picture: HTMLCanvasElement, mask: HTMLCanvasElement, overlay: HTMLCanvasElement}} canvases
   */
  constructor(view, canvases) {
    this.view = view;
    this.contexts = {
      picture: contextOf(canvases.picture),
      mask: contextOf(canvases.mask),
      overlay: contextOf(canvases.overlay),
    };
    this.scratch = contextOf(document.createElement("canvas"));
    this.checker = makeChecker(this.scratch);
    this.stripes = makeStripes(this.scratch);
  }

  /** Fits the canvases to the stage. */
  resize() {
    this.#dpr = Math.min(devicePixelRatio || 1, 3);
    const width = Math.max(1, Math.round(this.view.stageWidth * this.#dpr));
    const height = Math.max(1, Math.round(this.view.stageHeight * this.#dpr));
    for (const { canvas } of [...Object.values(this.contexts), this.scratch]) {
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
      }
    }
    this.invalidate();
  }

  /** @param {...Layer} layers All of them if none is named. */
  invalidate(...layers) {
    for (const layer of layers.length ? layers : /** @type {Layer[]} */ (["picture", "mask", "overlay"])) {
      this.#dirty.add(layer);
    }
    this.#frame ||= requestAnimationFrame((time) => this.#draw(time));
  }

  /**
   * Lets the hole fade away over a result that has just come.
   * @param {TiledMask} mask As it was.
   */
  fadeOut(mask) {
    if (calm.matches) return;
    this.#fadeTiles = mask;
    this.#fadeStart = performance.now();
    this.invalidate("mask");
  }

  /** @param {number} time */
  #draw(time) {
    this.#frame = 0;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    if (dirty.has("picture")) this.#drawPicture();
    if (dirty.has("mask")) this.#drawMask(time);
    if (dirty.has("overlay")) this.#drawOverlay();
    if (this.running && !calm.matches) this.invalidate("mask");
  }

  #drawPicture() {
    const context = this.contexts.picture;
    clear(context);
    const shown = this.showBefore ? (this.before ?? this.picture) : this.picture;
    if (!shown) return;
    const dpr = this.#dpr;
    const [x, y, scale] = [this.view.x * dpr, this.view.y * dpr, this.view.scale * dpr];
    context.fillStyle = this.checker;
    context.fillRect(Math.ceil(x), Math.ceil(y), Math.floor(shown.width * scale - 1), Math.floor(shown.height * scale - 1));
    shown.draw(context, x, y, scale);
    if (this.split === null || !this.before || this.showBefore) return;
    context.save();
    context.beginPath();
    context.rect(0, 0, this.split * context.canvas.width, context.canvas.height);
    context.clip();
    this.before.draw(context, x, y, scale);
    context.restore();
  }

  /** @param {number} time */
  #drawMask(time) {
    const context = this.contexts.mask;
    clear(context);
    if (this.#fadeTiles) {
      const left = 1 - (time - this.#fadeStart) / FADE_MS;
      if (left > 0) {
        this.#drawHole(context, this.#fadeTiles, Math.min(left, 1), 0);
        this.invalidate("mask");
      } else {
        this.#fadeTiles = null;
      }
    }
    if (!this.mask || this.hideMask || this.showBefore) return;
    this.#drawHole(context, this.mask, 1, this.running && !calm.matches ? time / 40 : 0);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {TiledMask} mask
   * @param {number} opacity
   * @param {number} shift Of the stripes, in CSS pixels.
   */
  #drawHole(context, mask, opacity, shift) {
    const { scratch } = this;
    const { width, height } = scratch.canvas;
    const dpr = this.#dpr;
    const [left, top, scale] = [this.view.x * dpr, this.view.y * dpr, this.view.scale * dpr];
    clear(scratch);
    scratch.globalCompositeOperation = "source-over";
    scratch.imageSmoothingEnabled = scale < 3;
    let any = false;
    for (const tile of mask.visible()) {
      // On whole device pixels, or the seams between tiles would shine through.
      const x = Math.round(left + tile.x * scale);
      const y = Math.round(top + tile.y * scale);
      const right = Math.round(left + (tile.x + tile.width) * scale);
      const bottom = Math.round(top + (tile.y + tile.height) * scale);
      if (right <= 0 || bottom <= 0 || x >= width || y >= height) continue;
      scratch.drawImage(tile.canvas, x, y, right - x, bottom - y);
      any = true;
    }
    if (!any) return;
    scratch.globalCompositeOperation = "source-in";
    this.stripes.setTransform(new DOMMatrix().scale(dpr).translate(shift % (STRIPE_PX * 2), 0));
    scratch.fillStyle = this.stripes;
    scratch.fillRect(0, 0, width, height);
    context.globalAlpha = opacity;
    context.drawImage(scratch.canvas, 0, 0);
    context.globalAlpha = 1;
  }

  #drawOverlay() {
    const context = this.contexts.overlay;
    clear(context);
    context.scale(this.#dpr, this.#dpr);
    this.extra?.(context);
    if (this.sketch) this.#drawSketch(context, this.sketch);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Sketch} sketch
   */
  #drawSketch(context, sketch) {
    context.beginPath();
    if (sketch.kind === "ring") {
      const { x, y } = this.view.toStage(sketch.at);
      const radius = sketch.radius * this.view.scale;
      if (radius > 0) context.arc(x, y, Math.max(radius, 1.5), 0, Math.PI * 2);
      if (sketch.cross || radius < 4) {
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          context.moveTo(x + dx * 5, y + dy * 5);
          context.lineTo(x + dx * 12, y + dy * 12);
        }
      }
    } else {
      for (const point of sketch.points) {
        const { x, y } = this.view.toStage(point);
        context.lineTo(x, y);
      }
      context.closePath();
      context.fillStyle = sketch.erase ? "rgb(255 255 255 / 0.25)" : `rgb(${HOLE} / 0.3)`;
      context.fill();
    }
    // A light line on a dark one is seen on every picture.
    context.lineWidth = 3;
    context.strokeStyle = "rgb(0 0 0 / 0.55)";
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = "#fff";
    if (sketch.erase || sketch.kind === "path") context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }
}

/** @param {CanvasRenderingContext2D} context */
function makeChecker(context) {
  const canvas = new OffscreenCanvas(16, 16);
  const tile = canvas.getContext("2d");
  if (tile) {
    tile.fillStyle = "#fff";
    tile.fillRect(0, 0, 16, 16);
    tile.fillStyle = "#d9d9d9";
    tile.fillRect(0, 0, 8, 8);
    tile.fillRect(8, 8, 8, 8);
  }
  return /** @type {CanvasPattern} */ (context.createPattern(canvas, "repeat"));
}

/** @param {CanvasRenderingContext2D} context */
function makeStripes(context) {
  const period = STRIPE_PX * 2;
  const canvas = new OffscreenCanvas(period, period);
  const tile = canvas.getContext("2d");
  if (tile) {
    tile.fillStyle = `rgb(${HOLE} / 0.5)`;
    tile.fillRect(0, 0, period, period);
    tile.fillStyle = `rgb(${HOLE} / 0.26)`;
    for (const shift of [-period, 0, period]) {
      tile.beginPath();
      tile.moveTo(shift, period);
      tile.lineTo(shift + period, 0);
      tile.lineTo(shift + period + STRIPE_PX, 0);
      tile.lineTo(shift + STRIPE_PX, period);
      tile.fill();
    }
  }
  return /** @type {CanvasPattern} */ (context.createPattern(canvas, "repeat"));
}
