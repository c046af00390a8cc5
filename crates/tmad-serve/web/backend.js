/**
 * The back end of `tmad serve`'s page: the service's API, version 1. Addresses are relative, so that
 * it works below a path, too.
 */

import { t } from "./i18n.js";
import { Problem } from "./problem.js";

const TOKEN_KEY = "tmad-token";
/** A service that does not answer a cancellation within this time is left alone. */
const CANCEL_MS = 2000;

/** @typedef {import("./api.js").Answer} Answer */
/** @typedef {import("./api.js").Explanation} Explanation */
/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./api.js").Progress} Progress */
/** @typedef {import("./api.js").Request} Request */

/** The token lasts as long as the tab; it is never written to disk by this page. */
export function setToken(/** @type {string} */ token) {
  if (token) sessionStorage.setItem(TOKEN_KEY, token);
  else sessionStorage.removeItem(TOKEN_KEY);
}

/** @returns {Record<string, string>} */
function authorization() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** A name for a job. `randomUUID` is missing where the page comes over plain HTTP. */
export function newJobId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} A successful answer.
 */
async function call(path, init = {}) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { ...init, headers: { ...init.headers, ...authorization() } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(t("The service does not answer"), t("Is it still running?"));
  }
  if (response.ok) return response;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  const body = await response.json().catch(() => ({}));
  throw new Problem(body.title ?? response.statusText ?? "", body.detail ?? "", {
    status: response.status,
    code: body.code ?? "",
    retryAfter,
  });
}

/** @returns {Promise<{models: Model[], limits: {body_bytes: number}}>} */
export async function fetchModels() {
  return (await call("v1/models")).json();
}

/**
 * @param {Request} request
 * @returns {FormData}
 */
function form({ image, imageName, mask, options }) {
  const data = new FormData();
  data.append("image", image, imageName);
  data.append("mask", mask, "mask.png");
  data.append("options", JSON.stringify(options));
  return data;
}

/**
 * Fills the hole.
 * @param {Request} request
 * @param {AbortSignal} signal Stops the work at the service, too.
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<Answer>} The filled picture in the format of the image, metadata kept.
 */
export async function inpaint(request, signal, onProgress) {
  const answer = await runJob("v1/inpaint", request, signal, onProgress);
  return { picture: await answer.blob(), warning: answer.headers.get("X-Tmad-Warning") ?? "" };
}

/**
 * Says which windows of the picture the texture of the hole came from.
 * @param {Request} request
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<Explanation>}
 */
export async function explain(request, signal, onProgress) {
  const answer = await runJob("v1/explain", request, signal, onProgress);
  return answer.json();
}

/**
 * Grows marks on a thing to its border.
 * @param {import("./api.js").Marks} marks
 * @returns {Promise<Blob>} A mask in which the thing is white.
 */
export async function select({ image, mask, bounds }) {
  const data = new FormData();
  data.append("image", image, "image.png");
  data.append("mask", mask, "mask.png");
  data.append("options", JSON.stringify({ bounds }));
  return (await call("v1/select", { method: "POST", body: data })).blob();
}

/**
 * @param {string} path
 * @param {Request} request
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 */
async function runJob(path, request, signal, onProgress) {
  const job = newJobId();
  const listening = new AbortController();
  const posting = new AbortController();
  // The job is cancelled by name first: without its connection it would be gone, and unknown.
  const cancel = async () => {
    listening.abort();
    const inTime = AbortSignal.timeout(CANCEL_MS);
    await call(`v1/jobs/${job}`, { method: "DELETE", signal: inTime }).catch(() => {});
    posting.abort();
  };
  signal.addEventListener("abort", cancel);
  // Progress is a comfort: where the stream breaks, the answer still comes.
  listen(job, listening.signal, onProgress).catch(() => {});
  try {
    return await call(`${path}?job=${job}`, { method: "POST", body: form(request), signal: posting.signal });
  } finally {
    signal.removeEventListener("abort", cancel);
    listening.abort();
  }
}

/**
 * Reads a job's server-sent events. `EventSource` cannot send the token.
 * @param {string} job
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 */
async function listen(job, signal, onProgress) {
  const response = await call(`v1/jobs/${job}/events`, { headers: { Accept: "text/event-stream" }, signal });
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r", "");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const progress = parseEvent(text.slice(0, end));
      text = text.slice(end + 2);
      if (progress) onProgress(progress);
    }
  }
}

/**
 * @param {string} block The lines of one event.
 * @returns {Progress | null}
 */
export function parseEvent(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const match = /^(event|data): ?(.*)$/.exec(line);
    if (match?.[1] === "event") name = match[2];
    else if (match) data.push(match[2]);
  }
  if (name !== "progress") return null;
  try {
    return JSON.parse(data.join("\n"));
  } catch {
    return null;
  }
}
