/** Where the picture lies in the stage: its scale and the place of its top left corner. */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{top: number, right: number, bottom: number, left: number}} Insets */

const MAX_SCALE = 32;
/** This many CSS pixels of the picture stay in the stage, however far it is dragged. */
const KEEP_VISIBLE = 64;

export class View {
  /** CSS pixels per pixel of the picture. */
  scale = 1;
  /** Left edge of the picture in the stage, in CSS pixels. */
  x = 0;
  /** Top edge of the picture in the stage, in CSS pixels. */
  y = 0;
  stageWidth = 1;
  stageHeight = 1;
  pictureWidth = 1;
  pictureHeight = 1;
  /** Whether the picture fills the stage and should go on doing so when the stage changes. */
  fitted = true;
  /** @type {Insets} */
  #insets = { top: 0, right: 0, bottom: 0, left: 0 };

  /**
   * @param {number} width
   * @param {number} height
   * @param {Insets} insets Room taken by what floats over the stage.
   */
  setStage(width, height, insets) {
    const centre = this.toPicture({ x: this.stageWidth / 2, y: this.stageHeight / 2 });
    this.stageWidth = width;
    this.stageHeight = height;
    this.#insets = insets;
    if (this.fitted) {
      this.fit();
    } else {
      this.x = width / 2 - centre.x * this.scale;
      this.y = height / 2 - centre.y * this.scale;
      this.#keepVisible();
    }
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  setPicture(width, height) {
    this.pictureWidth = width;
    this.pictureHeight = height;
    this.fit();
  }

  /** The scale at which the whole picture is seen; never above 1 for a picture of usual size. */
  get fitScale() {
    const { top, right, bottom, left } = this.#insets;
    const width = Math.max(this.stageWidth - left - right, 32);
    const height = Math.max(this.stageHeight - top - bottom, 32);
    const scale = Math.min(width / this.pictureWidth, height / this.pictureHeight);
    return scale <= 1 ? scale : Math.max(1, Math.min(scale, 8));
  }

  fit() {
    const { top, right, bottom, left } = this.#insets;
    this.scale = this.fitScale;
    this.x = left + (this.stageWidth - left - right - this.pictureWidth * this.scale) / 2;
    this.y = top + (this.stageHeight - top - bottom - this.pictureHeight * this.scale) / 2;
    this.fitted = true;
  }

  /**
   * @param {number} scale
   * @param {Point} [anchor] The place of the stage that stays where it is; its middle if left out.
   */
  zoomTo(scale, anchor = { x: this.stageWidth / 2, y: this.stageHeight / 2 }) {
    const fixed = this.toPicture(anchor);
    const least = Math.min(this.fitScale / 2, 1);
    this.scale = Math.min(Math.max(scale, least), MAX_SCALE);
    this.x = anchor.x - fixed.x * this.scale;
    this.y = anchor.y - fixed.y * this.scale;
    this.fitted = false;
    this.#keepVisible();
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  panBy(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.#keepVisible();
  }

  /**
   * Pans by as much as it takes to see `point` of the picture.
   * @param {Point} point
   * @param {number} margin
   */
  reveal(point, margin) {
    const { x, y } = this.toStage(point);
    const dx = x < margin ? margin - x : Math.min(0, this.stageWidth - margin - x);
    const dy = y < margin ? margin - y : Math.min(0, this.stageHeight - margin - y);
    if (dx !== 0 || dy !== 0) this.panBy(dx, dy);
  }

  /**
   * @param {Point} point
   * @returns {Point}
   */
  toPicture({ x, y }) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  /**
   * @param {Point} point
   * @returns {Point}
   */
  toStage({ x, y }) {
    return { x: x * this.scale + this.x, y: y * this.scale + this.y };
  }

  #keepVisible() {
    const width = this.pictureWidth * this.scale;
    const height = this.pictureHeight * this.scale;
    const keepX = Math.min(KEEP_VISIBLE, width);
    const keepY = Math.min(KEEP_VISIBLE, height);
    this.x = Math.min(Math.max(this.x, keepX - width), this.stageWidth - keepX);
    this.y = Math.min(Math.max(this.y, keepY - height), this.stageHeight - keepY);
  }
}
