/**
 * Whether the rim of what is marked cuts through a thing: its core, deep inside what is marked, is
 * grown to the border of whatever it lies on, and that reaches beyond the rim.
 */

import { newCanvas, selectMarked } from "./select.js";

/** @typedef {import("./mask.js").TiledMask} TiledMask */
/** @typedef {import("./picture.js").Picture} Picture */

/** Longest side at which what is marked is looked at. */
const LOOK_PX = 256;
/** The core lies at this share of the greatest depth and deeper. */
const CORE = 0.55;
/** Beyond this share of the picture nobody marks a single thing. */
const LARGEST_SHARE = 0.3;
/** A thing that reaches beyond the rim with less of it has a soft edge, or a shadow. */
const LEAST_BEYOND = 0.15;
/** What reaches the limits of the search with more of its pixels is no thing but the background. */
const MOST_AT_LIMIT = 0.01;

/**
 * @param {Picture} picture
 * @param {TiledMask} mask
 * @returns {Promise<import("./select.js").Found | null>} The thing that goes on beyond the rim, if there is one.
 */
export async function cutThing(picture, mask) {
  if (mask.isEmpty || mask.share > LARGEST_SHARE) return null;
  const scale = Math.min(LOOK_PX / Math.max(mask.width, mask.height), 1);
  const [width, height] = [mask.width, mask.height].map((side) => Math.max(Math.round(side * scale), 1));
  const { context } = newCanvas(width, height);
  context.scale(width / mask.width, height / mask.height);
  for (const { canvas, x, y } of mask.visible()) context.drawImage(canvas, x, y);
  const depths = depthsOf(context.getImageData(0, 0, width, height).data, width, height);
  const deepest = depths.reduce((most, depth) => Math.max(most, depth), 0);
  if (deepest < 2) return null;
  const core = [...depths.keys()].filter((i) => depths[i] >= CORE * deepest);
  const [xs, ys] = [core.map((i) => i % width), core.map((i) => Math.floor(i / width))];
  const [cellWidth, cellHeight] = [mask.width / width, mask.height / height];
  const [left, top] = [Math.min(...xs) - deepest, Math.min(...ys) - deepest];
  const marked = {
    x: left * cellWidth,
    y: top * cellHeight,
    width: (Math.max(...xs) + deepest + 1 - left) * cellWidth,
    height: (Math.max(...ys) + deepest + 1 - top) * cellHeight,
  };
  const found = await selectMarked(picture, marked, (marks) => {
    core.forEach((_, i) => marks.fillRect(xs[i] * cellWidth, ys[i] * cellHeight, cellWidth, cellHeight));
  });
  return goesBeyond(found, mask) ? found : null;
}

/**
 * How far every pixel lies inside what is opaque, in pixels: 3-4 chamfer distances, in two passes.
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 */
function depthsOf(rgba, width, height) {
  const depths = new Float32Array(width * height);
  const at = (/** @type {number} */ x, /** @type {number} */ y) =>
    x < 0 || x >= width ? 1e9 : y < 0 || y >= height ? 1e9 : depths[y * width + x];
  const visit = (/** @type {number} */ i, /** @type {number} */ d) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const near = Math.min(at(x - d, y), at(x, y - d)) + 1;
    const far = Math.min(at(x - d, y - d), at(x + d, y - d)) + 4 / 3;
    depths[i] = Math.min(depths[i], near, far);
  };
  for (let i = 0; i < depths.length; i++) {
    depths[i] = rgba[4 * i + 3] >= 128 ? 1e9 : 0;
    visit(i, 1);
  }
  for (let i = depths.length - 1; i >= 0; i--) visit(i, -1);
  // Where everything is marked there is no rim.
  return depths.map((depth) => (depth < 1e8 ? depth : 0));
}

/**
 * @param {import("./select.js").Found} found
 * @param {TiledMask} mask
 */
function goesBeyond({ box, shape, inner }, mask) {
  const { width, height } = shape;
  const { context } = newCanvas(width, height);
  context.scale(width / box.width, height / box.height);
  for (const { canvas, x, y } of mask.visible()) context.drawImage(canvas, x - box.x, y - box.y);
  const marks = context.getImageData(0, 0, width, height).data;
  const thing = /** @type {OffscreenCanvasRenderingContext2D} */ (shape.getContext("2d")).getImageData(0, 0, width, height).data;
  // Where the search ends inside the picture: there the thing was cut off.
  const [right, bottom] = [inner.x + inner.width, inner.y + inner.height];
  let [all, beyond, atLimit] = [0, 0, 0];
  for (let i = 0; i < width * height; i++) {
    if (thing[4 * i + 3] < 128) continue;
    all++;
    if (marks[4 * i + 3] < 128) beyond++;
    const [x, y] = [i % width, Math.floor(i / width)];
    const isAtLimit =
      (inner.x > 0 && x <= inner.x + 2) ||
      (inner.y > 0 && y <= inner.y + 2) ||
      (right < width && x >= right - 3) ||
      (bottom < height && y >= bottom - 3);
    if (isAtLimit) atLimit++;
  }
  return beyond > LEAST_BEYOND * all && atLimit <= MOST_AT_LIMIT * all;
}
