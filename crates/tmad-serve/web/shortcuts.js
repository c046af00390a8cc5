/** The keys: one table for what they do and for the help that lists them. */

import { t } from "./i18n.js";

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const CTRL = IS_MAC ? "⌘" : "Ctrl";

/**
 * `key` as the browser names it, lower case; `ctrl` is ⌘ on a Mac.
 * @typedef {{key: string, ctrl?: boolean, shift?: boolean, command: string}} Shortcut
 */

/** @type {Shortcut[]} */
const SHORTCUTS = [
  { key: "z", ctrl: true, shift: true, command: "redo" },
  { key: "z", ctrl: true, command: "undo" },
  { key: "y", ctrl: true, command: "redo" },
  { key: "o", ctrl: true, command: "open" },
  { key: "s", ctrl: true, command: "save" },
  { key: "c", ctrl: true, command: "copy" },
  { key: "enter", command: "remove" },
  { key: "escape", command: "escape" },
  { key: "delete", command: "clear" },
  { key: "backspace", command: "clear" },
  { key: "o", command: "tool-object" },
  { key: "b", command: "tool-brush" },
  { key: "e", command: "tool-eraser" },
  { key: "l", command: "tool-lasso" },
  { key: "r", command: "tool-box" },
  { key: "h", command: "tool-hand" },
  { key: "[", command: "brush-smaller" },
  { key: "]", command: "brush-larger" },
  { key: "+", command: "zoom-in" },
  { key: "=", command: "zoom-in" },
  { key: "-", command: "zoom-out" },
  { key: "0", command: "fit" },
  { key: "1", command: "actual-size" },
  { key: "c", command: "hold-before" },
  { key: "x", command: "slider" },
  { key: "w", command: "explain" },
  { key: ",", command: "previous-patch" },
  { key: ".", command: "next-patch" },
  { key: "?", command: "help" },
];

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement | null} target
 * @param {boolean} singleKeys Whether keys without a modifier are wanted.
 * @returns {string | null}
 */
export function shortcutOf(event, target, singleKeys) {
  // AltGr, which some keyboards need for brackets, reads as Ctrl with Alt on Windows.
  const ctrl = IS_MAC ? event.metaKey : event.ctrlKey && !event.getModifierState("AltGraph");
  if (target instanceof HTMLInputElement && !["range", "radio", "checkbox"].includes(target.type)) return null;
  const key = event.key.toLowerCase();
  const found = SHORTCUTS.find(
    (shortcut) =>
      shortcut.key === key &&
      Boolean(shortcut.ctrl) === ctrl &&
      (!shortcut.ctrl || Boolean(shortcut.shift) === event.shiftKey),
  );
  if (!found) return null;
  // Enter belongs to the button that has the focus, and text that is selected can be copied.
  if (key === "enter" && target?.closest("button, summary, a, input")) return null;
  if (found.command === "copy" && String(getSelection() ?? "")) return null;
  if (!found.ctrl && key.length === 1 && !singleKeys) return null;
  if (event.repeat && !found.command.startsWith("brush-") && !found.command.startsWith("zoom-") && !found.command.endsWith("-patch")) {
    return found.command === "hold-before" ? found.command : null;
  }
  return found.command;
}

/**
 * The keys of a command, as a person reads them.
 * @param {string} command
 * @returns {string}
 */
export function keysOf(command) {
  const found = SHORTCUTS.find((shortcut) => shortcut.command === command);
  if (!found) return "";
  const names = /** @type {Record<string, string>} */ ({ enter: t("Enter"), delete: t("Del") });
  const key = names[found.key] ?? found.key.toUpperCase();
  return [...(found.ctrl ? [CTRL] : []), ...(found.shift ? [t("Shift")] : []), key].join("+");
}

/** @returns {{title: string, rows: [string, string[]][]}[]} */
export function helpGroups() {
  return [
    {
      title: t("Mark"),
      rows: [
        [t("Object"), ["O"]],
        [t("Brush"), ["B"]],
        [t("Eraser"), ["E"]],
        [t("Lasso"), ["L"]],
        [t("Box"), ["R"]],
        [t("Erase with any tool"), [t("Alt"), t("right button")]],
        [t("Brush size"), ["[", "]"]],
        [t("Brush size with the wheel"), [t("Shift"), t("Alt")]],
        [t("Clear what is marked"), [t("Del")]],
      ],
    },
    {
      title: t("Remove"),
      rows: [
        [t("Remove what is marked"), [t("Enter")]],
        [t("Cancel"), [t("Esc")]],
        [t("Undo"), [CTRL, "Z"]],
        [t("Redo"), [CTRL, t("Shift"), "Z"]],
      ],
    },
    {
      title: t("Look"),
      rows: [
        [t("Zoom"), [t("wheel"), "+", "−"]],
        [t("Whole picture, 100 %"), ["0", "1"]],
        [t("Move the picture"), [t("Space"), "H"]],
        [t("Hold to see the picture as it was"), ["C"]],
        [t("Slider"), ["X"]],
        [t("Where from?"), ["W"]],
        [t("Previous and next square"), [",", "."]],
      ],
    },
    {
      title: t("Without a mouse"),
      rows: [
        [t("Move the cursor"), ["←", "↑", "→", "↓"]],
        [t("Larger steps"), [t("Shift")]],
        [t("Hold to paint"), [t("Space")]],
      ],
    },
    {
      title: t("Files"),
      rows: [
        [t("Open"), [CTRL, "O"]],
        [t("Paste a picture"), [CTRL, "V"]],
        [t("Save"), [CTRL, "S"]],
        [t("Copy"), [CTRL, "C"]],
        [t("This help"), ["?"]],
      ],
    },
  ];
}
