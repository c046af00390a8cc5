/** Puts the page together: what the buttons, keys and the stage do, and what is shown when. */

import { fetchModels, Problem, setToken } from "./api.js";
import { Editor, UserError } from "./editor.js";
import { ExplainView } from "./explain.js";
import { download, formatOf, pictureIn, resultName } from "./files.js";
import { number, percent, t, translate } from "./i18n.js";
import { StageInput } from "./input.js";
import { Renderer } from "./renderer.js";
import { drawExample } from "./scene.js";
import { helpGroups, keysOf, shortcutOf } from "./shortcuts.js";
import { boxStroke, brushStroke, lassoStroke } from "./tools.js";
import * as ui from "./ui.js";
import { View } from "./view.js";

/** @typedef {import("./input.js").ToolName} ToolName */
/** @typedef {import("./view.js").Point} Point */
/** @typedef {import("./api.js").Progress} Progress */
/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./tools.js").Stroke} Stroke */

const { body } = document;
const stage = ui.byId("stage");
const sizeSlider = /** @type {HTMLInputElement} */ (ui.byId("brush-size"));
const divider = ui.byId("divider");
const holdBefore = ui.byId("hold-before");

const METHOD_LABELS = /** @type {Record<string, string>} */ ({ tmad: "T-MAD", patchmatch: "PatchMatch", coarse: "Coarse" });
const MIN_BRUSH_PX = 2;
const BRUSH_STEP = 1.18;

/** @type {ToolName} */
let tool = "brush";
/** Diameter in pixels of the picture. */
let brushPx = 40;
/** @type {Stroke | null} */
let stroke = null;
let strokeErases = false;
/** @type {Point | null} */
let pointer = null;
let pointerByKeyboard = false;
/** @type {ExplainView | null} */
let explainView = null;
/** @type {Model[]} */
let models = [];
/** Largest request that the service takes, in bytes. */
let largestBody = Infinity;
let coachText = "";
let speakTimer = 0;

const view = new View();
const renderer = new Renderer(view, {
  picture: /** @type {HTMLCanvasElement} */ (ui.byId("layer-picture")),
  mask: /** @type {HTMLCanvasElement} */ (ui.byId("layer-mask")),
  overlay: /** @type {HTMLCanvasElement} */ (ui.byId("layer-overlay")),
});
const editor = new Editor(refresh);

// --- What is shown ---------------------------------------------------------------------------

/** Brings the page in line with the editor. */
function refresh() {
  const { current, original, mask, history, isRunning } = editor;
  body.dataset.state = isRunning ? "running" : current ? "loaded" : "empty";
  body.toggleAttribute("data-result", editor.hasResult);
  renderer.picture = current?.picture ?? null;
  renderer.before = original?.picture ?? null;
  renderer.mask = mask;
  renderer.running = isRunning && !explainView;
  if (!editor.hasResult) {
    setSplit(null);
    leaveExplain();
  }
  enable("undo", history.canUndo && !isRunning);
  enable("redo", history.canRedo && !isRunning);
  enable("remove", Boolean(mask && !mask.isEmpty) && !isRunning);
  enable("clear", Boolean(mask && !mask.isEmpty) && !isRunning);
  enable("export-mask", Boolean(mask && !mask.isEmpty));
  enable("import-mask", !isRunning);
  enable("save", editor.hasResult && !isRunning);
  enable("open", !isRunning);
  enable("explain", !isRunning);
  ui.byId("remove").hidden = isRunning;
  ui.byId("progress").hidden = !isRunning;
  const marked = ui.byId("marked");
  marked.textContent =
    mask && !mask.isEmpty ? t("{share} marked", { share: percent(mask.share) }) : t("Nothing is marked yet");
  marked.toggleAttribute("data-some", Boolean(mask && !mask.isEmpty));
  showCoach(mask && mask.isEmpty && !editor.hasResult && !isRunning ? coachText : "");
  renderer.invalidate();
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

/** @param {string} text */
function showCoach(text) {
  const coach = ui.byId("coach");
  coach.hidden = !text;
  if (coach.textContent !== text) coach.textContent = text;
}

function viewChanged() {
  ui.byId("zoom-value").textContent = percent(view.scale);
  renderer.invalidate();
  updateSketch();
}

function updateSketch() {
  if (explainView || editor.isRunning || !editor.mask) {
    renderer.sketch = null;
  } else if (stroke?.sketch()) {
    renderer.sketch = stroke.sketch();
  } else if (pointer && (tool === "brush" || tool === "eraser" || pointerByKeyboard) && tool !== "hand") {
    const painting = tool === "brush" || tool === "eraser";
    const erase = stroke ? strokeErases : tool === "eraser";
    renderer.sketch = { kind: "ring", at: pointer, radius: painting ? brushPx / 2 : 0, erase, cross: pointerByKeyboard };
  }
  renderer.invalidate("overlay");
}

// --- Brush and tools -------------------------------------------------------------------------

/** @param {ToolName} name */
function setTool(name) {
  tool = name;
  stage.dataset.tool = name;
  for (const button of document.querySelectorAll("[data-tool]")) {
    if (button instanceof HTMLButtonElement) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  }
  updateSketch();
}

function largestBrush() {
  return Math.max(Math.min(view.pictureWidth, view.pictureHeight) / 2, MIN_BRUSH_PX * 2);
}

/** @param {number} px */
function setBrush(px) {
  brushPx = Math.min(Math.max(px, MIN_BRUSH_PX), largestBrush());
  const range = Math.log(largestBrush() / MIN_BRUSH_PX);
  const position = (Math.log(brushPx / MIN_BRUSH_PX) / range) * 100;
  sizeSlider.value = String(position);
  sizeSlider.style.setProperty("--fill", `${position}%`);
  const text = t("{count} px", { count: number(Math.round(brushPx)) });
  ui.byId("brush-size-value").textContent = text;
  sizeSlider.setAttribute("aria-valuetext", text);
  updateSketch();
}

sizeSlider.addEventListener("input", () => {
  const range = Math.log(largestBrush() / MIN_BRUSH_PX);
  setBrush(MIN_BRUSH_PX * Math.exp((Number(sizeSlider.value) / 100) * range));
});

const input = new StageInput(stage, view, {
  tool: () => (explainView ? "brush" : tool),
  canPaint: () => Boolean(editor.mask) && !editor.isRunning,
  strokeStart: (point, erase, pressure) => {
    if (explainView) {
      chooseSquare(point);
      return;
    }
    const { mask } = editor;
    if (!mask) return;
    setSplit(null);
    showCoach("");
    strokeErases = erase || tool === "eraser";
    mask.begin();
    if (tool === "lasso") stroke = lassoStroke(mask, point, strokeErases);
    else if (tool === "box") stroke = boxStroke(mask, point, strokeErases);
    else stroke = brushStroke(mask, point, brushPx / 2, pressure, strokeErases);
    renderer.invalidate("mask");
  },
  strokeMove: (points) => {
    if (explainView) {
      const last = points.at(-1);
      if (last) chooseSquare(last.point);
      return;
    }
    for (const { point, pressure } of points) stroke?.move(point, pressure);
    updateSketch();
    renderer.invalidate("mask");
  },
  strokeEnd: () => {
    if (explainView || !stroke) return;
    stroke.finish();
    stroke = null;
    const changed = editor.commitStroke();
    if (changed && pointerByKeyboard) ui.announce(ui.byId("marked").textContent ?? "");
    updateSketch();
  },
  strokeCancel: () => {
    stroke = null;
    editor.mask?.rollback();
    refresh();
    updateSketch();
  },
  hover: (point, byKeyboard) => {
    pointer = point;
    pointerByKeyboard = byKeyboard;
    if (explainView && point) chooseSquare(point);
    updateSketch();
    if (byKeyboard && point && !stroke) speakPlace(point);
  },
  resizeBrush: (steps) => setBrush(brushPx * BRUSH_STEP ** steps),
  cursorStep: () => (tool === "lasso" || tool === "box" ? 8 / view.scale : Math.max(brushPx / 4, 1)),
  viewChanged,
  arrow: (direction) => {
    if (!explainView) return false;
    if (explainView.chooseTowards(direction)) squareChosen(true);
    return true;
  },
});

/** Says where the keyboard's cursor is once it rests. @param {Point} point */
function speakPlace(point) {
  clearTimeout(speakTimer);
  speakTimer = setTimeout(() => {
    const place = { x: number(Math.round(point.x)), y: number(Math.round(point.y)) };
    ui.announce(editor.mask?.isMarked(point) ? t("{x}, {y}, marked", place) : t("{x}, {y}", place));
  }, 350);
}

// --- Opening and saving ----------------------------------------------------------------------

/**
 * @param {Blob} file
 * @param {string} name
 * @param {string} [coach]
 */
async function open(file, name, coach = t("Paint over what should go")) {
  if (editor.isRunning) return;
  if (editor.unsaved && !(await ui.confirm(t("The result is not saved. Open another picture all the same?"), t("Open")))) return;
  ui.clearToasts();
  coachText = coach;
  leaveExplain();
  setSplit(null);
  await withToken(() => editor.open(file, name));
  const { mask, current } = editor;
  if (!mask || !current) return;
  if (editor.name !== name) ui.toast("note", t("The service does not read files of this kind, so the result will be a PNG file."));
  measureStage();
  view.setPicture(mask.width, mask.height);
  setBrush(Math.max(Math.min(mask.width, mask.height) * 0.06, 12));
  const megapixels = number((mask.width * mask.height) / 1e6, { maximumFractionDigits: 1 });
  const format = (await formatOf(current.file))?.name ?? "";
  ui.byId("file-name").textContent = editor.name;
  ui.byId("file-name").title = editor.name;
  ui.byId("file-facts").textContent = `${mask.width} × ${mask.height} · ${megapixels} MP${format ? ` · ${format}` : ""}`;
  document.title = `${name} – tmad`;
  viewChanged();
  stage.focus({ preventScroll: true });
  ui.announce(t("{name} is open, {width} by {height} pixels.", { name, width: mask.width, height: mask.height }));
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
  ui.announce(t("Copied to the clipboard"));
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

// --- Removing --------------------------------------------------------------------------------

/** @param {string} id */
function integer(id) {
  const field = /** @type {HTMLInputElement} */ (ui.byId(id));
  const value = Math.round(Number(field.value) || 0);
  const inRange = Math.min(Math.max(value, Number(field.min)), Number(field.max));
  field.value = String(inRange);
  return inRange;
}

async function remove() {
  const { mask } = editor;
  if (!mask || editor.isRunning || stroke) return;
  if (mask.isEmpty) {
    ui.announce(t("Nothing is marked yet"));
    return;
  }
  if (mask.marked === mask.width * mask.height) {
    throw new UserError(t("The whole picture is marked. Something has to stay that the gap can be filled from."));
  }
  const size = editor.current?.file.size ?? 0;
  if (size > largestBody) {
    const inMegabytes = (/** @type {number} */ bytes) => number(bytes / 2 ** 20, { maximumFractionDigits: 0 });
    throw new UserError(
      t("The file has {size} MB, and the service takes {limit} MB at most.", { size: inMegabytes(size), limit: inMegabytes(largestBody) }),
    );
  }
  ui.clearToasts();
  closeSheet();
  setSplit(null);
  const options = { method: chosenMethod(), seed: integer("seed"), grow_px: integer("grow") };
  const marked = mask.snapshot();
  showProgress({ state: "sending", fraction: 0 });
  ui.announce(t("Removing"));
  const done = await withToken(() => editor.remove(options, showProgress));
  if (done) renderer.fadeOut(marked);
  if (done?.warning) ui.toast("note", t("The service remarks"), done.warning);
  ui.announce(done ? t("Done. What was marked is filled.") : t("Cancelled"));
  stage.focus({ preventScroll: true });
}

/** What the service calls its steps. @returns {Record<string, string>} */
const stages = () => ({ receiving: t("Sending"), decoding: t("Reading the picture"), encoding: t("Writing the picture") });

/** @param {Progress} progress */
function showProgress({ state, fraction, stage: step, queue_position: place }) {
  const texts = /** @type {Record<string, string>} */ ({
    sending: t("Sending"),
    queued: place ? t("Waiting, place {place}", { place }) : t("Waiting"),
    busy: t("Busy, next try in {seconds} s", { seconds: place ?? 1 }),
    running: stages()[step ?? ""] ?? t("Filling"),
    done: t("Receiving"),
  });
  const known = state === "running" || state === "done";
  const bar = ui.byId("progress-bar");
  const share = Math.min(Math.max(fraction, 0), 1);
  ui.byId("progress-stage").textContent = texts[state] ?? t("Filling");
  ui.byId("progress-value").textContent = known ? percent(share) : "";
  if (known) bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  else bar.removeAttribute("aria-valuenow");
  bar.style.setProperty("--done", String(share));
}

/**
 * Runs something that asks the service, and asks for the token where the service wants one.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withToken(work) {
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

async function loadModels() {
  const answer = await withToken(fetchModels);
  models = answer.models.filter((model) => model.supports.includes("inpaint"));
  largestBody = answer.limits?.body_bytes ?? Infinity;
  const group = ui.byId("methods");
  group.replaceChildren(
    ...models.map((model) => {
      const label = document.createElement("label");
      label.className = "method";
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = "method";
      radio.value = model.name;
      radio.checked = model.default;
      const title = document.createElement("strong");
      title.textContent = t(METHOD_LABELS[model.name] ?? model.name);
      const text = document.createElement("small");
      text.textContent = t(model.description);
      label.append(radio, title, text);
      return label;
    }),
  );
}

function chosenMethod() {
  const radio = /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="method"]:checked'));
  return radio?.value ?? "tmad";
}

// --- Comparing -------------------------------------------------------------------------------

/** @param {boolean} on */
function showBefore(on) {
  renderer.showBefore = on && editor.hasResult;
  ui.byId("badge-before").hidden = !renderer.showBefore && renderer.split === null;
  holdBefore.setAttribute("aria-pressed", String(renderer.showBefore));
  renderer.invalidate();
}

holdBefore.addEventListener("pointerdown", (event) => {
  holdBefore.setPointerCapture(event.pointerId);
  showBefore(true);
});
for (const name of ["pointerup", "pointercancel", "blur"]) holdBefore.addEventListener(name, () => showBefore(false));
holdBefore.addEventListener("contextmenu", (event) => event.preventDefault());
holdBefore.addEventListener("keydown", (event) => {
  if (event.key === " " || event.key === "Enter") showBefore(true);
});
holdBefore.addEventListener("keyup", () => showBefore(false));

/** @param {number | null} share Of the stage's width, or null to end the comparison. */
function setSplit(share) {
  if (share === null && renderer.split === null) return;
  renderer.split = share === null ? null : Math.min(Math.max(share, 0), 1);
  const on = renderer.split !== null;
  divider.hidden = !on;
  ui.byId("badge-before").hidden = !on;
  ui.byId("badge-after").hidden = !on;
  ui.byId("toggle-slider").setAttribute("aria-pressed", String(on));
  if (renderer.split !== null) {
    divider.style.left = `${renderer.split * 100}%`;
    divider.setAttribute("aria-valuenow", String(Math.round(renderer.split * 100)));
  }
  renderer.invalidate("picture");
}

function toggleSlider() {
  if (!editor.hasResult || explainView) return;
  if (renderer.split === null) {
    setSplit(0.5);
    divider.focus();
  } else {
    setSplit(null);
    stage.focus({ preventScroll: true });
  }
}

divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
divider.addEventListener("pointermove", (event) => {
  if (!divider.hasPointerCapture(event.pointerId)) return;
  const box = stage.getBoundingClientRect();
  setSplit((event.clientX - box.left) / box.width);
});
divider.addEventListener("keydown", (event) => {
  const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 });
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  setSplit((renderer.split ?? 0.5) + step);
});

// --- Where the texture came from -------------------------------------------------------------

async function toggleExplain() {
  if (explainView) {
    leaveExplain();
    return;
  }
  const origin = editor.current?.origin;
  if (!origin || editor.isRunning) return;
  const model = models.find((candidate) => candidate.name === origin.options.method);
  if (model && !model.supports.includes("explain")) {
    throw new UserError(t("{method} does not look windows up, so there is nothing to show. Choose T-MAD for that.", { method: t(METHOD_LABELS[model.name] ?? model.name) }));
  }
  setSplit(null);
  closeSheet();
  showProgress({ state: "sending", fraction: 0 });
  const explanation = await withToken(() => editor.explain(showProgress));
  const picture = editor.current?.picture;
  if (!explanation || !picture) return;
  if (explanation.patches.length === 0) throw new UserError(t("There is nothing to show for this hole."));
  enterExplain(new ExplainView(explanation, picture, {
    place: /** @type {HTMLCanvasElement} */ (ui.byId("explain-place")),
    sources: ui.byId("explain-sources"),
    position: ui.byId("explain-position"),
  }));
}

/** @param {ExplainView} next */
function enterExplain(next) {
  explainView = next;
  body.dataset.explain = "all";
  ui.byId("tools").inert = true;
  ui.byId("toggle-explain").setAttribute("aria-pressed", "true");
  renderer.hideMask = true;
  renderer.extra = (context) => next.draw(context, view);
  measureStage();
  // Squares that are too small to point at are brought nearer.
  if (next.side * view.scale < 18) {
    const { x, y, width, height } = next.bounds;
    view.zoomTo(Math.min(view.stageWidth / (width * 2.6), view.stageHeight / (height * 2.6), 4));
    const middle = view.toStage({ x: x + width / 2, y: y + height / 2 });
    view.panBy(view.stageWidth / 2 - middle.x, view.stageHeight / 2 - middle.y);
  }
  viewChanged();
  stage.focus({ preventScroll: true });
  ui.announce(`${t("Where it came from")}. ${t("The arrow keys choose a square.")}`);
}

function leaveExplain() {
  if (!explainView) return;
  explainView = null;
  body.removeAttribute("data-explain");
  ui.byId("tools").inert = false;
  ui.byId("toggle-explain").setAttribute("aria-pressed", "false");
  renderer.hideMask = false;
  renderer.extra = null;
  measureStage();
  viewChanged();
  stage.focus({ preventScroll: true });
}

/** @param {Point} point */
function chooseSquare(point) {
  if (explainView?.chooseAt(point)) squareChosen(false);
}

/** @param {boolean} byKeyboard */
function squareChosen(byKeyboard) {
  body.dataset.explain = "one";
  renderer.invalidate("overlay");
  if (!byKeyboard || !explainView) return;
  if (explainView.focus) {
    view.reveal(explainView.focus, 40);
    viewChanged();
  }
  ui.announce(explainView.description);
}

// --- Commands --------------------------------------------------------------------------------

function closeSheet() {
  body.removeAttribute("data-sheet");
  ui.byId("toggle-sheet").setAttribute("aria-expanded", "false");
}

/** @param {"undo" | "redo"} step */
async function move(step) {
  if (editor.isRunning || stroke) return;
  leaveExplain();
  const moved = await editor.history[step]();
  if (moved) ui.announce(step === "undo" ? t("Undone") : t("Redone"));
}

/** @type {Record<string, () => unknown>} */
const commands = {
  open: () => ui.byId("file-input").click(),
  example: async () => open(await drawExample(), t("example.png"), t("Paint over the traffic cone, then press Remove")),
  save,
  copy,
  undo: () => move("undo"),
  redo: () => move("redo"),
  remove,
  cancel: () => editor.cancel(),
  clear: () => {
    if (!editor.isRunning) editor.clearMask();
  },
  "import-mask": () => ui.byId("mask-input").click(),
  "export-mask": exportMask,
  slider: toggleSlider,
  explain: toggleExplain,
  "previous-patch": () => {
    if (explainView?.chooseNext(-1)) squareChosen(true);
  },
  "next-patch": () => {
    if (explainView?.chooseNext(1)) squareChosen(true);
  },
  theme: ui.toggleTheme,
  help: () => {
    ui.fillHelp(helpGroups());
    /** @type {HTMLDialogElement} */ (ui.byId("help-dialog")).showModal();
  },
  sheet: () => {
    const isOpen = body.toggleAttribute("data-sheet");
    ui.byId("toggle-sheet").setAttribute("aria-expanded", String(isOpen));
  },
  fit: () => {
    view.fit();
    viewChanged();
  },
  "actual-size": () => zoom(1),
  "zoom-in": () => zoom(view.scale * 1.4),
  "zoom-out": () => zoom(view.scale / 1.4),
  "brush-larger": () => setBrush(brushPx * BRUSH_STEP),
  "brush-smaller": () => setBrush(brushPx / BRUSH_STEP),
  "tool-brush": () => setTool("brush"),
  "tool-eraser": () => setTool("eraser"),
  "tool-lasso": () => setTool("lasso"),
  "tool-box": () => setTool("box"),
  "tool-hand": () => setTool("hand"),
  escape: () => {
    if (editor.isRunning) editor.cancel();
    else if (explainView) leaveExplain();
    else if (renderer.split !== null) toggleSlider();
    else closeSheet();
  },
};

/** @param {number} scale */
function zoom(scale) {
  view.zoomTo(scale, pointerByKeyboard && pointer ? view.toStage(pointer) : undefined);
  viewChanged();
}

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
  if (error instanceof Problem) ui.toast("bad", error.title || t("The service reports an error"), error.detail);
  else if (error instanceof Error) ui.toast("bad", error.message);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-do], [data-tool]") : null;
  if (!(button instanceof HTMLButtonElement)) return;
  if (button.dataset.tool) setTool(/** @type {ToolName} */ (button.dataset.tool));
  else if (button.dataset.do) void run(button.dataset.do);
});

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const target = event.target instanceof HTMLElement ? event.target : null;
  const command = shortcutOf(event, target, ui.singleKeysAllowed());
  if (!command) return;
  event.preventDefault();
  if (command === "hold-before") showBefore(true);
  else if (body.dataset.state !== "empty" || ["open", "help", "theme"].includes(command)) void run(command);
});
document.addEventListener("keyup", (event) => {
  if (event.key.toLowerCase() === "c") showBefore(false);
});
window.addEventListener("blur", () => showBefore(false));

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

function measureStage() {
  const { clientWidth, clientHeight } = stage;
  const narrow = clientWidth < 600;
  const margin = narrow ? 10 : 28;
  view.setStage(clientWidth, clientHeight, { top: margin, left: margin, right: margin, bottom: narrow ? 62 : 74 });
  renderer.resize();
}

new ResizeObserver(() => {
  measureStage();
  viewChanged();
}).observe(stage);

/** What a button does and by which key, where the pointer rests on it. */
function addTooltips() {
  for (const button of document.querySelectorAll("[data-do], [data-tool]")) {
    if (!(button instanceof HTMLButtonElement)) continue;
    const label = button.title || button.ariaLabel || (button.textContent ?? "").trim();
    const keys = keysOf(button.dataset.do ?? `tool-${button.dataset.tool}`);
    button.title = keys ? `${label} (${keys})` : label;
  }
}

ui.restoreTheme();
translate(document);
addTooltips();
setTool("brush");
refresh();
loadModels().catch(report);
