/** From marks on a thing to the thing: what is sent, and what comes back. */

import { select } from "./api.js";

/** @typedef {import("./mask.js").Box} Box */
/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./view.js").Point} Point */
/** What is opaque in `shape`, stretched over `box`, is the thing. `inner` is the part of `shape` in
 * which it was looked for.
 * @typedef {{box: Box, shape: OffscreenCanvas, inner: Box}} Found */

/** Longest side of what is sent; a border is found to a pixel of it. */
const SENT_PX = 640;
/** A thing is looked for around its marks, as far again as they reach, and this share of the
 * picture's longest side at least. */
const LEAST_REACH = 1 / 8;

/** @param {Box} box @param {number} margin @returns {Box} */
function grown({ x, y, width, height }, margin) {
  return { x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin };
}

/** @param {Box} box @param {{width: number, height: number}} within @returns {Box} */
function clipped(box, within) {
  const x = Math.max(Math.floor(box.x), 0);
  const y = Math.max(Math.floor(box.y), 0);
  return {
    x,
    y,
    width: Math.min(Math.ceil(box.x + box.width), within.width) - x,
    height: Math.min(Math.ceil(box.y + box.height), within.height) - y,
  };
}

/**
 * For what is read back.
 * @param {number} width
 * @param {number} height
 */
export function newCanvas(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser cannot draw on a canvas");
  return { canvas, context };
}

/**
 * Asks for the thing that a scribble lies on.
 * @param {Picture} picture
 * @param {Point[]} points Of the scribble, in pixels of the picture.
 * @param {number} radius
 * @returns {Promise<Found>}
 */
export function selectThing(picture, points, radius) {
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  const marked = grown({ x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y }, radius);
  return selectMarked(picture, marked, (context, scale) => {
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = Math.max(2 * radius, 2 / scale);
    context.beginPath();
    for (const { x, y } of points) context.lineTo(x, y);
    // A line without length draws no round caps everywhere.
    const last = points[points.length - 1];
    context.lineTo(last.x + 0.01, last.y);
    context.stroke();
  });
}

/**
 * Asks for the thing on which there are marks.
 * @param {Picture} picture
 * @param {Box} marked Around the marks, in pixels of the picture.
 * @param {(context: OffscreenCanvasRenderingContext2D, scale: number) => void} draw Draws them in
 *   white, in pixels of the picture; `scale` is what is sent of a pixel.
 * @returns {Promise<Found>}
 */
export async function selectMarked(picture, marked, draw) {
  const reach = Math.max(marked.width, marked.height, Math.max(picture.width, picture.height) * LEAST_REACH);
  const inner = clipped(grown(marked, reach), picture);
  const scale = Math.min(SENT_PX / Math.max(inner.width, inner.height), 1);
  // Around the part in which the thing may lie, so that its rim counts as background unless it is
  // the picture's own.
  const box = clipped(grown(inner, 2 / scale), picture);
  const [width, height] = [box.width, box.height].map((side) => Math.max(Math.round(side * scale), 1));
  const crop = newCanvas(width, height);
  crop.context.imageSmoothingQuality = "high";
  crop.context.drawImage(picture.full, box.x, box.y, box.width, box.height, 0, 0, width, height);
  const marks = newCanvas(width, height);
  marks.context.fillRect(0, 0, width, height);
  marks.context.setTransform(scale, 0, 0, scale, -box.x * scale, -box.y * scale);
  marks.context.strokeStyle = marks.context.fillStyle = "#fff";
  draw(marks.context, scale);
  const bounds = [inner.x - box.x, inner.y - box.y, inner.width, inner.height].map((side) => Math.round(side * scale));
  const answer = await select({ image: await crop.canvas.convertToBlob(), mask: await marks.canvas.convertToBlob(), bounds });
  const bitmap = await createImageBitmap(answer);
  crop.context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const image = crop.context.getImageData(0, 0, width, height);
  for (let i = 0; i < image.data.length; i += 4) image.data[i + 3] = image.data[i];
  crop.context.putImageData(image, 0, 0);
  return { box, shape: crop.canvas, inner: { x: bounds[0], y: bounds[1], width: bounds[2], height: bounds[3] } };
}
