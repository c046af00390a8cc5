/**
 * What the person marked, at the picture's full size. It lies in tiles that come into being where
 * something is painted: a picture of 48 megapixels would need 192 MB otherwise, and undo as much
 * again for each stroke.
 */

import { encodeBilevelPng } from "./png.js";

export const TILE = 512;
/** A pixel belongs to the hole from this opacity on; the service thresholds grey in the same way. */
const THRESHOLD = 128;

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{canvas: OffscreenCanvas, context: OffscreenCanvasRenderingContext2D, marked: number}} Tile */
/** The tiles of one change as they are not now: swapping undoes it, swapping again redoes it.
 * @typedef {Map<number, Tile | null>} Change */

/**
 * @param {number} width
 * @param {number} height
 * @returns {Tile}
 */
function newTile(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  // Tiles are read to count and to write the mask, so they stay out of the graphics memory.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser cannot draw on a canvas");
  return { canvas, context, marked: 0 };
}

export class TiledMask {
  /** @type {Map<number, Tile>} */
  #tiles = new Map();
  /** @type {Change | null} */
  #open = null;
  #marked = 0;

  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.columns = Math.ceil(width / TILE);
    this.rows = Math.ceil(height / TILE);
  }

  /** Number of pixels of the hole; while a stroke is being painted, as before it. */
  get marked() {
    return this.#marked;
  }

  get isEmpty() {
    return this.#marked === 0;
  }

  /** Share of the picture that is marked, 0 to 1. */
  get share() {
    return this.#marked / (this.width * this.height);
  }

  /** @param {number} index */
  #boxOf(index) {
    const x = (index % this.columns) * TILE;
    const y = Math.floor(index / this.columns) * TILE;
    return { x, y, width: Math.min(TILE, this.width - x), height: Math.min(TILE, this.height - y) };
  }

  /** Whether a change is being made. */
  get isOpen() {
    return this.#open !== null;
  }

  /** Starts a change. A change that is already open goes on. */
  begin() {
    this.#open ??= new Map();
  }

  /**
   * Draws into the open change.
   * @param {Box} bounds What `draw` touches, in pixels of the picture.
   * @param {(context: OffscreenCanvasRenderingContext2D) => void} draw Called per tile, in
   *   coordinates of the picture.
   * @param {boolean} erase
   */
  paint(bounds, draw, erase) {
    const change = this.#open;
    if (!change) throw new Error("paint outside of a change");
    const left = Math.max(0, Math.floor(bounds.x / TILE));
    const top = Math.max(0, Math.floor(bounds.y / TILE));
    const right = Math.min(this.columns - 1, Math.floor((bounds.x + bounds.width) / TILE));
    const bottom = Math.min(this.rows - 1, Math.floor((bounds.y + bounds.height) / TILE));
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const index = row * this.columns + column;
        if (erase && !this.#tiles.has(index)) continue;
        const box = this.#boxOf(index);
        const { context } = this.#writable(change, index, box);
        context.globalCompositeOperation = erase ? "destination-out" : "source-over";
        context.setTransform(1, 0, 0, 1, -box.x, -box.y);
        context.fillStyle = context.strokeStyle = "#fff";
        draw(context);
      }
    }
  }

  /**
   * @param {Change} change
   * @param {number} index
   * @param {Box} box
   * @returns {Tile}
   */
  #writable(change, index, box) {
    const tile = this.#tiles.get(index);
    if (tile && change.has(index)) return tile;
    const next = newTile(box.width, box.height);
    if (tile) next.context.drawImage(tile.canvas, 0, 0);
    if (!change.has(index)) change.set(index, tile ?? null);
    this.#tiles.set(index, next);
    return next;
  }

  /**
   * Ends the open change.
   * @returns {Change | null} What `swap` takes, or null where nothing was touched.
   */
  commit() {
    const change = this.#open;
    this.#open = null;
    if (!change || change.size === 0) return null;
    for (const index of change.keys()) {
      const tile = this.#tiles.get(index);
      if (!tile) continue;
      tile.marked = countMarked(tile);
      if (tile.marked === 0) this.#tiles.delete(index);
    }
    this.#count();
    return change;
  }

  /** Ends the open change as if it had not begun. */
  rollback() {
    const change = this.#open;
    this.#open = null;
    if (change) this.swap(change);
  }

  /**
   * Undoes a change, or redoes it after that.
   * @param {Change} change
   */
  swap(change) {
    for (const [index, other] of change) {
      change.set(index, this.#tiles.get(index) ?? null);
      if (other) this.#tiles.set(index, other);
      else this.#tiles.delete(index);
    }
    this.#count();
  }

  /** The mask as it is now. Tiles are copied before they are painted on, so both can share them. */
  snapshot() {
    const copy = new TiledMask(this.width, this.height);
    copy.#tiles = new Map(this.#tiles);
    copy.#marked = this.#marked;
    return copy;
  }

  /** @returns {Change | null} */
  clear() {
    if (this.#tiles.size === 0) return null;
    /** @type {Change} */
    const change = new Map(this.#tiles);
    this.#tiles.clear();
    this.#count();
    return change;
  }

  /**
   * Puts a mask file in place of what is marked: white is the hole, transparent is not.
   * @param {ImageBitmap} picture Scaled where its size is another.
   * @returns {Change | null}
   */
  load(picture) {
    this.begin();
    const change = /** @type {Change} */ (this.#open);
    for (const [index, tile] of this.#tiles) change.set(index, tile);
    this.#tiles.clear();
    const scaleX = picture.width / this.width;
    const scaleY = picture.height / this.height;
    for (let index = 0; index < this.columns * this.rows; index++) {
      const { x, y, width, height } = this.#boxOf(index);
      const tile = newTile(width, height);
      tile.context.imageSmoothingEnabled = false;
      tile.context.drawImage(
        picture,
        ...[x * scaleX, y * scaleY, width * scaleX, height * scaleY],
        ...[0, 0, width, height],
      );
      if (!luminanceToOpacity(tile)) continue;
      if (!change.has(index)) change.set(index, null);
      this.#tiles.set(index, tile);
    }
    return this.commit();
  }

  /** @param {Point} point @returns {boolean} */
  isMarked({ x, y }) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return false;
    const tile = this.#tiles.get(Math.floor(y / TILE) * this.columns + Math.floor(x / TILE));
    if (!tile) return false;
    const pixel = tile.context.getImageData(Math.floor(x) % TILE, Math.floor(y) % TILE, 1, 1).data;
    return pixel[3] >= THRESHOLD;
  }

  /** The tiles that hold something, and where they lie. */
  *visible() {
    for (const [index, tile] of this.#tiles) yield { ...this.#boxOf(index), canvas: tile.canvas };
  }

  /**
   * The smallest box around what is marked, to the precision of a tile.
   * @returns {Box | null}
   */
  get bounds() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const index of this.#tiles.keys()) {
      const box = this.#boxOf(index);
      left = Math.min(left, box.x);
      top = Math.min(top, box.y);
      right = Math.max(right, box.x + box.width);
      bottom = Math.max(bottom, box.y + box.height);
    }
    return right > left ? { x: left, y: top, width: right - left, height: bottom - top } : null;
  }

  /**
   * The mask as a file: white is the hole.
   * @returns {Promise<Blob>}
   */
  toPng() {
    return encodeBilevelPng(this.width, this.height, this.#packedBands());
  }

  *#packedBands() {
    const stride = 1 + Math.ceil(this.width / 8);
    for (let row = 0; row < this.rows; row++) {
      const bandHeight = Math.min(TILE, this.height - row * TILE);
      const band = new Uint8Array(stride * bandHeight);
      for (let column = 0; column < this.columns; column++) {
        const tile = this.#tiles.get(row * this.columns + column);
        if (!tile) continue;
        const { width, height } = tile.canvas;
        const { data } = tile.context.getImageData(0, 0, width, height);
        for (let y = 0; y < height; y++) {
          const start = y * stride + 1 + (column * TILE) / 8;
          for (let x = 0; x < width; x++) {
            if (data[(y * width + x) * 4 + 3] >= THRESHOLD) band[start + (x >> 3)] |= 128 >> (x & 7);
          }
        }
      }
      yield band;
    }
  }

  #count() {
    this.#marked = 0;
    for (const tile of this.#tiles.values()) this.#marked += tile.marked;
  }
}

/** @typedef {import("./view.js").Point} Point */

/** @param {Tile} tile */
function countMarked({ canvas, context }) {
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let marked = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i] >= THRESHOLD) marked++;
  return marked;
}

/**
 * @param {Tile} tile
 * @returns {boolean} Whether anything is marked.
 */
function luminanceToOpacity({ canvas, context }) {
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = image;
  let any = false;
  for (let i = 0; i < data.length; i += 4) {
    const luminance = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    const marked = luminance >= THRESHOLD && data[i + 3] >= THRESHOLD;
    any ||= marked;
    data[i] = data[i + 1] = data[i + 2] = data[i + 3] = marked ? 255 : 0;
  }
  context.putImageData(image, 0, 0);
  return any;
}
