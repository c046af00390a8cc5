/** Puts the page together: what the buttons and keys do, and what is shown when. */

import { Problem } from "./api.js";
import { Comparison } from "./compare.js";
import { Editor, UserError } from "./editor.js";
import { ExplainView } from "./explain.js";
import { download, formatOf, pictureIn, resultName } from "./files.js";
import { number, percent, t, translate } from "./i18n.js";
import { drawExample } from "./scene.js";
import { canExplain, checkSize, chosenMethod, listMethods, methodLabel, showProgress, withToken } from "./service.js";
import { helpGroups, keysOf, shortcutOf } from "./shortcuts.js";
import { Stage } from "./stage.js";
import { Things } from "./things.js";
import * as ui from "./ui.js";

/** @typedef {import("./input.js").ToolName} ToolName */

const { body } = document;
const editor = new Editor(refresh);
const stage = new Stage(
  editor,
  () => {
    comparison.split(null);
    showCoach("");
    things.showHint(null);
  },
  (points, radius) => things.select(points, radius).catch(report),
  () => things.lookAtRim(),
);
const things = new Things(editor, () => stage.isBusy);
const comparison = new Comparison(stage.renderer, stage.element, () => editor.hasResult && !stage.explained);
let coachText = "";

// --- What is shown ---------------------------------------------------------------------------

/** Brings the page in line with the editor. */
function refresh() {
  const { current, original, mask, history, isRunning } = editor;
  const { renderer } = stage;
  const isMarked = Boolean(mask && !mask.isEmpty);
  body.dataset.state = isRunning ? "running" : current ? "loaded" : "empty";
  body.toggleAttribute("data-result", editor.hasResult);
  renderer.picture = current?.picture ?? null;
  renderer.before = original?.picture ?? null;
  renderer.mask = mask;
  renderer.running = isRunning;
  if (!editor.hasResult) {
    comparison.split(null);
    stage.leaveExplain();
  }
  if (!isMarked || isRunning) things.showHint(null);
  enable("undo", history.canUndo && !isRunning);
  enable("redo", history.canRedo && !isRunning);
  enable("remove", isMarked && !isRunning);
  enable("clear", isMarked && !isRunning);
  enable("export-mask", isMarked);
  enable("import-mask", !isRunning);
  enable("save", editor.hasResult && !isRunning);
  enable("open", !isRunning);
  enable("explain", !isRunning);
  ui.byId("remove").hidden = isRunning;
  ui.byId("progress").hidden = !isRunning;
  const marked = ui.byId("marked");
  marked.textContent = mask && isMarked ? t("{share} marked", { share: percent(mask.share) }) : t("Nothing is marked yet");
  marked.toggleAttribute("data-some", isMarked);
  showCoach(mask && !isMarked && !history.canUndo && !isRunning ? coachText : "");
  renderer.invalidate();
  stage.updateSketch();
}

/**
 * @param {string} name
 * @param {boolean} on
 */
function enable(name, on) {
  for (const button of document.querySelectorAll(`button[data-do="${name}"]`)) {
    /** @type {HTMLButtonElement} */ (button).disabled = !on;
  }
}

/** @param {string} text What to do next, over the picture. */
function showCoach(text) {
  const coach = ui.byId("coach");
  coach.hidden = !text;
  if (coach.textContent !== text) coach.textContent = text;
}

function closeSheet() {
  body.removeAttribute("data-sheet");
  ui.byId("toggle-sheet").setAttribute("aria-expanded", "false");
}

// --- Opening and saving ----------------------------------------------------------------------

/**
 * @param {Blob} file
 * @param {string} name
 * @param {string} [coach]
 */
async function open(file, name, coach = t("Paint over what should go")) {
  if (editor.isRunning) return;
  const question = t("The result is not saved. Open another picture all the same?");
  if (editor.unsaved && !(await ui.confirm(question, t("Open")))) return;
  ui.clearToasts();
  coachText = coach;
  stage.leaveExplain();
  comparison.split(null);
  await withToken(() => editor.open(file, name));
  const { mask, current } = editor;
  if (!mask || !current) return;
  if (editor.name !== name) {
    ui.toast("note", t("Files of this kind cannot be written, so the result will be a PNG file."));
  }
  const megapixels = number((mask.width * mask.height) / 1e6, { maximumFractionDigits: 1 });
  const format = (await formatOf(current.file))?.name;
  const facts = [`${mask.width} × ${mask.height}`, `${megapixels} MP`, format].filter(Boolean);
  ui.byId("file-name").textContent = ui.byId("file-name").title = editor.name;
  ui.byId("file-facts").textContent = facts.join(" · ");
  document.title = `${editor.name} – tmad`;
  stage.showPicture(mask.width, mask.height);
  things.enlargeFor(mask);
  stage.focus();
  ui.announce(t("{name} is open, {width} by {height} pixels.", { name: editor.name, width: mask.width, height: mask.height }));
}

function save() {
  const { current } = editor;
  if (!current || !editor.hasResult) return;
  download(current.file, resultName(editor.name, t("cleaned"), current.file.type));
  editor.unsaved = false;
  ui.announce(t("Saved"));
}

async function copy() {
  const picture = editor.current?.picture;
  if (!picture) return;
  if (!navigator.clipboard?.write || typeof ClipboardItem === "undefined") {
    throw new UserError(t("This browser allows copying on secure pages only. Save the picture instead."));
  }
  await navigator.clipboard.write([new ClipboardItem({ "image/png": picture.toPng() })]);
  ui.toast("good", t("Copied to the clipboard"));
}

async function exportMask() {
  const { mask } = editor;
  if (!mask || mask.isEmpty) return;
  download(await mask.toPng(), resultName(editor.name, t("mask"), "image/png"));
}

/** @param {Blob} file */
async function importMask(file) {
  const { scaled } = await editor.importMask(file);
  const text = ui.byId("marked").textContent ?? "";
  ui.toast("good", t("Mask imported"), scaled ? `${text}. ${t("It was scaled to the size of the picture.")}` : text);
}

// --- Removing and explaining -----------------------------------------------------------------

/** @param {string} id A field for a number. */
function integer(id) {
  const field = /** @type {HTMLInputElement} */ (ui.byId(id));
  const value = Math.round(Number(field.value) || 0);
  const inRange = Math.min(Math.max(value, Number(field.min)), Number(field.max));
  field.value = String(inRange);
  return inRange;
}

async function remove() {
  const { mask, current } = editor;
  if (!mask || !current || editor.isRunning || stage.isBusy || stage.explained) return;
  if (mask.isEmpty) {
    ui.announce(t("Nothing is marked yet"));
    return;
  }
  if (mask.marked === mask.width * mask.height) {
    throw new UserError(t("The whole picture is marked. Something has to stay that the gap can be filled from."));
  }
  checkSize(current.file);
  ui.clearToasts();
  closeSheet();
  comparison.split(null);
  const options = { method: chosenMethod(), seed: integer("seed"), grow_px: things.growPx };
  const marked = mask.snapshot();
  showProgress({ state: "sending", fraction: 0 });
  ui.announce(t("Removing"));
  const done = await withToken(() => editor.remove(options, showProgress));
  if (done) stage.renderer.fadeOut(marked);
  if (done?.warning) ui.toast("note", t("Please note"), done.warning);
  ui.announce(done ? t("Done. What was marked is filled.") : t("Cancelled"));
  stage.focus();
}

async function toggleExplain() {
  if (stage.explained) {
    stage.leaveExplain();
    return;
  }
  const origin = editor.current?.origin;
  if (!origin || editor.isRunning) return;
  if (!canExplain(origin.options.method)) {
    const method = methodLabel(origin.options.method);
    throw new UserError(t("{method} does not look windows up, so there is nothing to show. Choose T-MAD for that.", { method }));
  }
  comparison.split(null);
  closeSheet();
  showProgress({ state: "sending", fraction: 0 });
  const explanation = await withToken(() => editor.explain(showProgress));
  const picture = editor.current?.picture;
  if (!explanation || !picture) return;
  if (explanation.patches.length === 0) throw new UserError(t("There is nothing to show for this hole."));
  stage.enterExplain(
    new ExplainView(explanation, picture, {
      place: /** @type {HTMLCanvasElement} */ (ui.byId("explain-place")),
      sources: ui.byId("explain-sources"),
      position: ui.byId("explain-position"),
    }),
  );
}

/** @param {"undo" | "redo"} step */
async function travel(step) {
  if (editor.isRunning || stage.isBusy) return;
  stage.leaveExplain();
  const moved = await editor.history[step]();
  refresh();
  if (moved) ui.announce(step === "undo" ? t("Undone") : t("Redone"));
}

// --- Commands --------------------------------------------------------------------------------

/** @type {Record<string, () => unknown>} */
const commands = {
  open: () => ui.byId("file-input").click(),
  example: async () => open(await drawExample(), t("example.png"), t("Paint over the traffic cone, then press Remove")),
  save,
  copy,
  undo: () => travel("undo"),
  redo: () => travel("redo"),
  remove,
  cancel: () => editor.cancel(),
  extend: () => {
    things.markCutThing();
    stage.focus();
  },
  clear: () => {
    if (!editor.isRunning && !stage.isBusy) editor.clearMask();
  },
  "import-mask": () => ui.byId("mask-input").click(),
  "export-mask": exportMask,
  slider: () => comparison.toggleSlider(),
  explain: toggleExplain,
  "previous-patch": () => stage.nextSquare(-1),
  "next-patch": () => stage.nextSquare(1),
  theme: ui.toggleTheme,
  help: () => ui.showHelp(helpGroups()),
  sheet: () => {
    const isOpen = body.toggleAttribute("data-sheet");
    ui.byId("toggle-sheet").setAttribute("aria-expanded", String(isOpen));
  },
  fit: () => stage.fit(),
  "actual-size": () => stage.zoomTo(1),
  "zoom-in": () => stage.zoomTo(stage.view.scale * 1.4),
  "zoom-out": () => stage.zoomTo(stage.view.scale / 1.4),
  "brush-larger": () => stage.resizeBrush(1),
  "brush-smaller": () => stage.resizeBrush(-1),
  "hold-before": () => comparison.hold(true),
  escape: () => {
    if (editor.isRunning) editor.cancel();
    else if (stage.explained) stage.leaveExplain();
    else if (comparison.isSplit) comparison.toggleSlider();
    else closeSheet();
  },
};
for (const name of /** @type {ToolName[]} */ (["object", "brush", "eraser", "lasso", "box", "hand"])) {
  commands[`tool-${name}`] = () => stage.setTool(name);
}
/** Commands that make sense without a picture. */
const ALWAYS = ["open", "help", "theme"];

/** @param {string} name */
async function run(name) {
  try {
    await commands[name]?.();
  } catch (error) {
    report(error);
  }
}

/** @param {unknown} error */
function report(error) {
  if (error instanceof Problem) ui.toast("bad", error.title || t("Something went wrong"), error.detail);
  else if (error instanceof Error) ui.toast("bad", error.message);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-do], [data-tool]") : null;
  if (button instanceof HTMLButtonElement) void run(commandOf(button));
});

/** @param {HTMLButtonElement} button */
function commandOf({ dataset }) {
  return dataset.do ?? `tool-${dataset.tool}`;
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const target = event.target instanceof HTMLElement ? event.target : null;
  const command = shortcutOf(event, target, ui.singleKeysAllowed());
  if (!command) return;
  event.preventDefault();
  if (body.dataset.state !== "empty" || ALWAYS.includes(command)) void run(command);
});
document.addEventListener("keyup", (event) => {
  if (event.key.toLowerCase() === "c") comparison.hold(false);
});

// --- Files from outside ----------------------------------------------------------------------

/** @param {string} id @param {(file: File) => Promise<void>} use */
function onFile(id, use) {
  const field = /** @type {HTMLInputElement} */ (ui.byId(id));
  field.addEventListener("change", () => {
    const file = field.files?.[0];
    field.value = "";
    if (file) use(file).catch(report);
  });
}
onFile("file-input", (file) => open(file, file.name));
onFile("mask-input", importMask);

document.addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData);
  if (!file) return;
  event.preventDefault();
  open(file, file.name || t("pasted.png")).catch(report);
});
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  body.setAttribute("data-dropping", "");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) body.removeAttribute("data-dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  body.removeAttribute("data-dropping");
  const file = pictureIn(event.dataTransfer);
  if (file) open(file, file.name).catch(report);
});
window.addEventListener("beforeunload", (event) => {
  if (editor.unsaved) event.preventDefault();
});

// --- The start -------------------------------------------------------------------------------

/** What a button does and by which key, where the pointer rests on it. */
function addTooltips() {
  for (const button of document.querySelectorAll("[data-do], [data-tool]")) {
    if (!(button instanceof HTMLButtonElement)) continue;
    const label = button.title || button.ariaLabel || (button.textContent ?? "").trim();
    const keys = keysOf(commandOf(button));
    button.title = keys ? `${label} (${keys})` : label;
  }
}

ui.restoreTheme();
translate(document);
addTooltips();
refresh();
listMethods().catch(report);
