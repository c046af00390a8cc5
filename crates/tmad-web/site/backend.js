/**
 * The back end of the page without a service: the pipeline in a worker of this browser. It takes
 * the place of the service's `backend.js` when the site is built.
 */

import { t } from "./i18n.js";
import { Problem } from "./problem.js";

/** @typedef {import("./api.js").Request} Request */
/** @typedef {import("./api.js").Progress} Progress */

/** A worker that has grown beyond this is replaced after its work: its memory never shrinks. */
const MAX_IDLE_BYTES = 256 * 2 ** 20;

/** The compiled pipeline, for the workers after the first. @type {WebAssembly.Module | null} */
let module = null;
/** @type {Worker | null} */
let worker = null;
/** Settled when the worker can work; gives its methods. @type {Promise<string>} */
let ready = startWorker();

if ("serviceWorker" in navigator) {
  // Without it the page works as well, but not offline.
  navigator.serviceWorker.register("sw.js").catch(() => {});
}

function startWorker() {
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const started = ask(worker, { kind: "start", module }).then((answer) => {
    module = answer.module;
    return answer.models;
  });
  // Whoever waits for it hears of a failure; it is no matter for the console before.
  started.catch(() => {});
  return started;
}

function replaceWorker() {
  worker?.terminate();
  ready = startWorker();
}

/**
 * @param {Worker} target
 * @param {object} task
 * @param {(progress: Progress) => void} [onProgress]
 * @returns {Promise<any>}
 */
function ask(target, task, onProgress) {
  return new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ detail) => {
      if (target === worker && "image" in task) replaceWorker();
      reject(new Problem(t("This browser could not do it"), detail));
    };
    target.onmessage = ({ data: { progress, answer, problem, broken, bytes } }) => {
      if (progress) onProgress?.(progress);
      else if (broken) fail(problem);
      else if (problem) reject(new Problem(t("This cannot be filled"), problem));
      else resolve(answer);
      if (bytes > MAX_IDLE_BYTES && target === worker && !broken) replaceWorker();
    };
    target.onerror = (event) => fail(event.message ?? "");
    target.postMessage(task);
  });
}

/** @param {Blob} file */
async function bytesOf(file) {
  return new Uint8Array(await file.arrayBuffer());
}

/** Settled when the worker has done what it was asked. @type {Promise<unknown>} */
let done = Promise.resolve();

/**
 * Does something with the worker once it is there and has nothing else to do.
 * @template T
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
function inTurn(task) {
  const result = done.then(() => ready).then(task);
  done = result.catch(() => {});
  return result;
}

/**
 * @param {string} kind
 * @param {Request} request
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 */
async function run(kind, { image, mask, options }, signal, onProgress) {
  onProgress({ state: "running", fraction: 0, stage: "starting" });
  const task = { kind, image: await bytesOf(image), mask: await bytesOf(mask), options: JSON.stringify(options) };
  signal.throwIfAborted();
  const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const work = inTurn(async () => {
    signal.throwIfAborted();
    // Nothing can interrupt WebAssembly but the end of its worker.
    signal.addEventListener("abort", replaceWorker);
    try {
      return await Promise.race([aborted, ask(/** @type {Worker} */ (worker), task, onProgress)]);
    } finally {
      signal.removeEventListener("abort", replaceWorker);
    }
  });
  return Promise.race([aborted, work]);
}

/** Nobody asks for a token here. */
export function setToken() {}

/** @returns {ReturnType<typeof import("./api.js").fetchModels>} */
export async function fetchModels() {
  const models = await ready.catch(() => (ready = startWorker()));
  return { limits: { body_bytes: Infinity }, ...JSON.parse(models) };
}

/**
 * @param {Request} request
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<import("./api.js").Answer>}
 */
export async function inpaint(request, signal, onProgress) {
  const { bytes, type, warning } = await run("inpaint", request, signal, onProgress);
  return { picture: new Blob([bytes], { type }), warning };
}

/**
 * @param {import("./api.js").Marks} marks
 * @returns {Promise<Blob>}
 */
export async function select({ image, mask, bounds }) {
  const task = { kind: "select", image: await bytesOf(image), mask: await bytesOf(mask), bounds };
  const bytes = await inTurn(() => ask(/** @type {Worker} */ (worker), task));
  return new Blob([bytes], { type: "image/png" });
}

/**
 * @param {Request} request
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<import("./api.js").Explanation>}
 */
export async function explain(request, signal, onProgress) {
  return run("explain", request, signal, onProgress);
}
