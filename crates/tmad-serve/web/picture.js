/** A decoded picture that can be drawn at every scale without work that grows with its size. */

/** Below this side, halving a picture again makes drawing no faster. */
const SMALLEST_LEVEL = 1024;

/**
 * @param {ImageBitmap} bitmap
 * @param {number} width
 * @param {number} height
 */
function shrunk(bitmap, width, height) {
  return createImageBitmap(bitmap, { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" });
}

export class Picture {
  /** The picture at 1, 1/2, 1/4, … of its size; the smaller ones come in the background.
   * @type {ImageBitmap[]} */
  #levels;

  /** @param {ImageBitmap} full */
  constructor(full) {
    this.#levels = [full];
    this.width = full.width;
    this.height = full.height;
  }

  /**
   * Decodes a file with its orientation applied.
   * @param {Blob} file
   * @param {() => void} [onBetter] Called when a smaller copy is ready, for a smoother drawing.
   * @returns {Promise<Picture>} Rejected where the browser cannot read the file.
   */
  static async decode(file, onBetter) {
    const picture = new Picture(await createImageBitmap(file));
    void picture.#shrink(onBetter);
    return picture;
  }

  /** @param {(() => void) | undefined} onBetter */
  async #shrink(onBetter) {
    for (;;) {
      const last = this.#levels.at(-1);
      if (!last || Math.max(last.width, last.height) <= SMALLEST_LEVEL) return;
      const next = await shrunk(last, Math.ceil(last.width / 2), Math.ceil(last.height / 2)).catch(() => null);
      if (!next) return;
      if (this.closed) {
        next.close();
        return;
      }
      this.#levels.push(next);
      onBetter?.();
    }
  }

  /** The picture at its full size. */
  get full() {
    return this.#levels[0];
  }

  get closed() {
    return this.#levels[0].width === 0;
  }

  /**
   * Draws the whole picture into a rectangle; the canvas clips it.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} scale Pixels of the canvas per pixel of the picture.
   */
  draw(context, x, y, scale) {
    const wanted = Math.max(0, Math.floor(Math.log2(1 / scale)));
    const level = this.#levels[Math.min(wanted, this.#levels.length - 1)];
    // From here on a person looks at pixels, and blurring them would hide what is there.
    context.imageSmoothingEnabled = scale < 3;
    context.imageSmoothingQuality = "medium";
    context.drawImage(level, x, y, this.width * scale, this.height * scale);
  }

  /**
   * Draws a part of the picture at full resolution; what lies beyond the picture stays empty.
   * @param {CanvasRenderingContext2D} context
   * @param {{x: number, y: number, side: number}} square
   */
  drawSquare(context, { x, y, side }) {
    const { width, height } = context.canvas;
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = side > width;
    const left = Math.max(x, 0);
    const top = Math.max(y, 0);
    const right = Math.min(x + side, this.width);
    const bottom = Math.min(y + side, this.height);
    if (right <= left || bottom <= top) return;
    context.drawImage(
      this.full,
      ...[left, top, right - left, bottom - top],
      ...[((left - x) / side) * width, ((top - y) / side) * height],
      ...[((right - left) / side) * width, ((bottom - top) / side) * height],
    );
  }

  /** @returns {Promise<Blob>} The picture as PNG, for the clipboard. */
  async toPng() {
    const canvas = new OffscreenCanvas(this.width, this.height);
    canvas.getContext("2d")?.drawImage(this.full, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }

  close() {
    for (const level of this.#levels) level.close();
  }
}
