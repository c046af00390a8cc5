/** The page's parts that know nothing of pictures: messages, dialogs, theme, help. */

import { t } from "./i18n.js";

const THEME_KEY = "tmad-theme";
const KEYS_KEY = "tmad-single-keys";

/**
 * @template {HTMLElement} [E=HTMLElement]
 * @param {string} id
 * @returns {E}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element "${id}"`);
  return /** @type {E} */ (element);
}

/** @param {string} name @returns {SVGElement} */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Says something to a screen reader. @param {string} text */
export function announce(text) {
  const live = byId("live");
  // The same text twice would not be read again.
  live.textContent = live.textContent === text ? `${text}\u00a0` : text;
}

/**
 * A message that goes away by itself if it is good news, and stays if it is not.
 * @param {"good" | "note" | "bad"} kind
 * @param {string} title
 * @param {string} [detail]
 */
export function toast(kind, title, detail = "") {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const body = document.createElement("div");
  for (const text of [title, detail].filter(Boolean)) {
    const line = document.createElement("p");
    line.textContent = text;
    body.append(line);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon";
  close.setAttribute("aria-label", t("Close"));
  close.append(icon("close"));
  close.addEventListener("click", () => box.remove());
  box.append(icon(kind === "good" ? "done" : kind === "note" ? "help" : "warn"), body, close);
  byId("toasts").append(box);
  if (kind === "good") setTimeout(() => box.remove(), 4000);
}

export function clearToasts() {
  byId("toasts").replaceChildren();
}

/** @param {string} question @param {string} yes @returns {Promise<boolean>} */
export function confirm(question, yes) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("confirm-dialog"));
  byId("confirm-text").textContent = question;
  byId("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/**
 * @param {string} message Why it is asked for again.
 * @returns {Promise<string | null>}
 */
export function askToken(message) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("token-dialog"));
  const field = /** @type {HTMLInputElement} */ (byId("token"));
  byId("token-error").textContent = message;
  field.value = "";
  dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => resolve(dialog.returnValue === "ok" ? field.value.trim() : null);
    dialog.addEventListener("close", closed, { once: true });
  });
}

/** Where a browser forbids storing, the page works all the same. @param {string} key */
function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // As above.
  }
}

export function restoreTheme() {
  const theme = recall(THEME_KEY);
  if (theme) document.documentElement.dataset.theme = theme;
}

export function toggleTheme() {
  const root = document.documentElement;
  const systemDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : systemDark;
  root.dataset.theme = dark ? "light" : "dark";
  remember(THEME_KEY, root.dataset.theme);
  announce(dark ? t("Light") : t("Dark"));
}

export function singleKeysAllowed() {
  return recall(KEYS_KEY) !== "off";
}

/**
 * Fills and opens the help dialog.
 * @param {{title: string, rows: [string, string[]][]}[]} groups
 */
export function showHelp(groups) {
  byId("help-columns").replaceChildren(
    ...groups.map(({ title, rows }) => {
      const section = document.createElement("div");
      section.className = "help-group";
      const heading = document.createElement("h3");
      heading.textContent = title;
      const list = document.createElement("dl");
      for (const [label, keys] of rows) {
        const term = document.createElement("dt");
        term.textContent = label;
        const value = document.createElement("dd");
        keys.forEach((key, index) => {
          if (index) value.append(" ");
          const cap = document.createElement("kbd");
          cap.textContent = key;
          value.append(cap);
        });
        list.append(term, value);
      }
      section.append(heading, list);
      return section;
    }),
  );
  const box = /** @type {HTMLInputElement} */ (byId("single-keys"));
  box.checked = singleKeysAllowed();
  box.onchange = () => remember(KEYS_KEY, box.checked ? "on" : "off");
  /** @type {HTMLDialogElement} */ (byId("help-dialog")).showModal();
}
