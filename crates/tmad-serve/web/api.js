/**
 * The seam between the page and what does the work: one interface with two back ends. `tmad serve`
 * has the service's in `backend.js`; the site that needs no server has one of its own in that place,
 * which runs the pipeline in a worker.
 */

/** @typedef {"tmad" | "coarse" | "patchmatch" | string} Method */
/** @typedef {{method: Method, seed: number, grow_px: number, format?: string}} Options */
/** @typedef {{name: string, description: string, default: boolean, supports: string[]}} Model */
/** @typedef {{state: string, fraction: number, stage?: string, queue_position?: number}} Progress */
/** @typedef {{x: number, y: number, side: number}} Square */
/** @typedef {{place: Square, candidates: {source: Square, score: number}[]}} Patch */
/** @typedef {{width: number, height: number, patches: Patch[]}} Explanation */
/** @typedef {{image: Blob, imageName: string, mask: Blob, options: Options}} Request */
/** @typedef {{picture: Blob, warning: string}} Answer */
/** @typedef {{image: Blob, mask: Blob, bounds: number[]}} Marks Of a thing; x, y, width and height of where it lies. */

export { explain, fetchModels, inpaint, select, setToken } from "./backend.js";
export { Problem } from "./problem.js";
