/** Texts in the person's language. English texts are the keys; what has no translation stays English. */

import { german } from "./de.js";

/** @type {Record<string, Record<string, string>>} */
const DICTIONARIES = { de: german };

const wanted = new URLSearchParams(location.search).get("lang") ?? navigator.language;
export const language = wanted.toLowerCase().startsWith("de") ? "de" : "en";

const dictionary = DICTIONARIES[language] ?? {};

/**
 * @param {string} english May hold `{name}`s.
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(english, values = {}) {
  const text = dictionary[english] ?? english;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Translates the page: the text of elements with `data-t`, and labels and titles.
 * @param {ParentNode} root
 */
export function translate(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-t]")) {
    element.textContent = t((element.textContent ?? "").replace(/\s+/g, " ").trim());
  }
  for (const name of ["aria-label", "title", "placeholder"]) {
    for (const element of root.querySelectorAll(`[${name}]`)) {
      element.setAttribute(name, t(element.getAttribute(name) ?? ""));
    }
  }
}

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export function number(value, options) {
  return new Intl.NumberFormat(language, options).format(value);
}

/** @param {number} share 0 to 1. */
export function percent(share) {
  const digits = share > 0 && share < 0.1 ? 1 : 0;
  return number(Math.max(share, share > 0 ? 0.001 : 0), { style: "percent", maximumFractionDigits: digits });
}
