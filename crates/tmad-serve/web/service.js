/** What the page shows of the service: its methods, its progress, its wish for a token. */

import { fetchModels, Problem, setToken } from "./api.js";
import { UserError } from "./editor.js";
import { number, percent, t } from "./i18n.js";
import * as ui from "./ui.js";

/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./api.js").Progress} Progress */

/**
 * Names and words for the methods that this page knows; what else a service offers is shown as the
 * service puts it.
 * @returns {Record<string, [string, string]>}
 */
const knownMethods = () => ({
  tmad: ["T-MAD", t("Structure from a network, texture from the rest of your picture.")],
  patchmatch: ["PatchMatch", t("Copies patches from the rest of your picture, without a network.")],
  coarse: [t("Coarse"), t("Structure from the network only: smooth, without texture.")],
});

/** @type {Model[]} */
let models = [];
/** Largest request that the service takes, in bytes. */
let largestBody = Infinity;

/**
 * Runs something that asks the service, and asks for the token where the service wants one.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withToken(work) {
  for (let message = ""; ; message = t("The service does not accept this token.")) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      const token = await ui.askToken(message);
      if (token === null) throw new UserError(t("Without the token the service does nothing."));
      setToken(token);
    }
  }
}

/** Asks for the methods and lists them. */
export async function listMethods() {
  const answer = await withToken(fetchModels);
  models = answer.models.filter((model) => model.supports.includes("inpaint"));
  largestBody = answer.limits?.body_bytes ?? Infinity;
  ui.byId("methods").replaceChildren(...models.map(methodCard));
  ui.byId("toggle-explain").hidden = !models.some((model) => model.supports.includes("explain"));
}

/** @param {Model} model */
function methodCard(model) {
  const label = document.createElement("label");
  label.className = "method";
  const radio = document.createElement("input");
  radio.type = "radio";
  radio.name = "method";
  radio.value = model.name;
  radio.checked = model.default;
  const title = document.createElement("strong");
  title.textContent = methodLabel(model.name);
  const text = document.createElement("small");
  text.textContent = knownMethods()[model.name]?.[1] ?? model.description;
  label.append(radio, title, text);
  return label;
}

export function chosenMethod() {
  const radio = /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="method"]:checked'));
  return radio?.value ?? "tmad";
}

/** @param {string} name */
export function methodLabel(name) {
  return knownMethods()[name]?.[0] ?? name;
}

/** @param {string} name @returns {boolean} Whether a method can say where its texture comes from. */
export function canExplain(name) {
  return models.find((model) => model.name === name)?.supports.includes("explain") ?? true;
}

/** Refuses a file before it is sent in vain. @param {Blob} file */
export function checkSize(file) {
  if (file.size <= largestBody) return;
  const megabytes = (/** @type {number} */ bytes) => number(bytes / 2 ** 20, { maximumFractionDigits: 0 });
  throw new UserError(
    t("The file has {size} MB, and the service takes {limit} MB at most.", {
      size: megabytes(file.size),
      limit: megabytes(largestBody),
    }),
  );
}

/** @param {Progress} progress */
export function showProgress({ state, fraction, stage, queue_position: place }) {
  const known = state === "running" || state === "done";
  const share = Math.min(Math.max(fraction, 0), 1);
  const bar = ui.byId("progress-bar");
  ui.byId("progress-stage").textContent = progressText(state, stage ?? "", place);
  ui.byId("progress-value").textContent = known ? percent(share) : "";
  if (known) bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  else bar.removeAttribute("aria-valuenow");
  bar.style.setProperty("--done", String(share));
}

/**
 * @param {string} state
 * @param {string} stage
 * @param {number | undefined} place In the queue; with "busy" the seconds until the next try.
 */
function progressText(state, stage, place) {
  if (state === "sending" || stage === "receiving") return t("Sending");
  if (state === "queued") return place ? t("Waiting, place {place}", { place }) : t("Waiting");
  if (state === "busy") return t("Busy, next try in {seconds} s", { seconds: place ?? 1 });
  if (state === "done") return t("Receiving");
  if (stage === "decoding") return t("Reading the picture");
  if (stage === "encoding") return t("Writing the picture");
  return t("Filling");
}
