/**
 * Shows where the texture of a filled hole came from: the squares that the hole was cut into, and
 * for the chosen one the windows of the picture that were retrieved for it, best first.
 */

import { number, t } from "./i18n.js";

/** @typedef {import("./api.js").Explanation} Explanation */
/** @typedef {import("./api.js").Patch} Patch */
/** @typedef {import("./api.js").Square} Square */
/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Point} Point */

const HOLE = "#ff5a36";
const SOURCE = "#3fe0cf";
/** More frames than these say nothing more. */
const MAX_SOURCES = 8;
/** Smaller frames could not be seen. */
const LEAST_FRAME_PX = 9;
const MAX_THREADS = 400;

/** @param {Square} square @returns {Point} */
function centre({ x, y, side }) {
  return { x: x + side / 2, y: y + side / 2 };
}

/** @param {Patch} patch */
function sourcesOf(patch) {
  return patch.candidates.slice(0, MAX_SOURCES);
}

export class ExplainView {
  /** @type {Patch[]} */
  #patches;
  /** Index of the chosen square, or -1 for all of them. */
  #chosen = -1;

  /**
   * @param {Explanation} explanation
   * @param {Picture} picture The filled picture.
   * @param {{place: HTMLCanvasElement, sources: HTMLElement, position: HTMLElement}} elements
   */
  constructor(explanation, picture, elements) {
    this.#patches = explanation.patches;
    this.picture = picture;
    this.elements = elements;
    this.#showDetail();
  }

  get isEmpty() {
    return this.#patches.length === 0;
  }

  /** The box around all squares, in pixels of the picture. */
  get bounds() {
    const places = this.#patches.map((patch) => patch.place);
    const x = Math.min(...places.map((place) => place.x));
    const y = Math.min(...places.map((place) => place.y));
    return {
      x,
      y,
      width: Math.max(...places.map((place) => place.x + place.side)) - x,
      height: Math.max(...places.map((place) => place.y + place.side)) - y,
    };
  }

  get side() {
    return this.#patches[0]?.place.side ?? 0;
  }

  /**
   * Chooses the square under a point; keeps the last one where there is none.
   * @param {Point} point
   * @returns {boolean} Whether the choice changed.
   */
  chooseAt({ x, y }) {
    let best = -1;
    let nearest = Infinity;
    this.#patches.forEach(({ place }, index) => {
      if (x < place.x || y < place.y || x >= place.x + place.side || y >= place.y + place.side) return;
      // Squares overlap; the one whose middle is nearest is meant.
      const middle = centre(place);
      const distance = Math.hypot(middle.x - x, middle.y - y);
      if (distance < nearest) [nearest, best] = [distance, index];
    });
    return best >= 0 && this.#choose(best);
  }

  /** @param {number} steps */
  chooseNext(steps) {
    const count = this.#patches.length;
    if (count === 0) return false;
    const start = this.#chosen < 0 ? (steps > 0 ? -1 : 0) : this.#chosen;
    return this.#choose((start + steps + count) % count);
  }

  /**
   * Chooses the nearest square in a direction.
   * @param {Point} direction
   */
  chooseTowards(direction) {
    if (this.#chosen < 0) return this.chooseNext(1);
    const from = centre(this.#patches[this.#chosen].place);
    let best = -1;
    let least = Infinity;
    this.#patches.forEach(({ place }, index) => {
      const to = centre(place);
      const along = (to.x - from.x) * direction.x + (to.y - from.y) * direction.y;
      const across = Math.abs((to.x - from.x) * direction.y) + Math.abs((to.y - from.y) * direction.x);
      const cost = along + across * 3;
      if (along > 0 && cost < least) [least, best] = [cost, index];
    });
    return best >= 0 && this.#choose(best);
  }

  /** The middle of the chosen square. @returns {Point | null} */
  get focus() {
    return this.#chosen < 0 ? null : centre(this.#patches[this.#chosen].place);
  }

  /** @param {number} index */
  #choose(index) {
    if (index === this.#chosen) return false;
    this.#chosen = index;
    this.#showDetail();
    return true;
  }

  /** What a screen reader says about the chosen square. */
  get description() {
    if (this.#chosen < 0) return "";
    const patch = this.#patches[this.#chosen];
    return t("{position}. {count} windows; the best one lies {where}.", {
      position: this.#position(),
      count: number(sourcesOf(patch).length),
      where: whereFrom(patch.place, patch.candidates[0].source),
    });
  }

  #position() {
    const count = number(this.#patches.length);
    return this.#chosen < 0
      ? t("{count} squares", { count })
      : t("Square {index} of {count}", { index: number(this.#chosen + 1), count });
  }

  #showDetail() {
    const { place, sources, position } = this.elements;
    position.textContent = this.#position();
    const patch = this.#patches[this.#chosen];
    const context = place.getContext("2d");
    if (context) {
      if (patch) this.picture.drawSquare(context, patch.place);
      else context.clearRect(0, 0, place.width, place.height);
    }
    place.closest("figure")?.toggleAttribute("hidden", !patch);
    sources.toggleAttribute("hidden", !patch);
    sources.replaceChildren(...(patch ? this.#sourceItems(patch) : []));
  }

  /** @param {Patch} patch */
  #sourceItems(patch) {
    const scores = patch.candidates.map((candidate) => candidate.score);
    const best = Math.max(...scores);
    const worst = Math.min(...scores, 0);
    return sourcesOf(patch).map(({ source, score }, index) => {
      const item = document.createElement("li");
      item.className = "source";
      const rank = document.createElement("b");
      rank.textContent = number(index + 1);
      const crop = document.createElement("canvas");
      crop.width = crop.height = 96;
      crop.setAttribute("aria-hidden", "true");
      const context = crop.getContext("2d");
      if (context) this.picture.drawSquare(context, source);
      const text = document.createElement("p");
      text.textContent = whereFrom(patch.place, source);
      const meter = document.createElement("span");
      meter.className = "meter";
      const fill = document.createElement("i");
      const share = best > worst ? (score - worst) / (best - worst) : 1;
      fill.style.transform = `scaleX(${Math.max(share, 0.04)})`;
      meter.append(fill);
      text.append(meter);
      item.append(rank, crop, text);
      return item;
    });
  }

  /**
   * @param {CanvasRenderingContext2D} context In CSS pixels of the stage.
   * @param {View} view
   */
  draw(context, view) {
    const chosen = this.#patches[this.#chosen];
    const frames = chosen
      ? [chosen.place, ...sourcesOf(chosen).map((candidate) => candidate.source)]
      : this.#patches.map((patch) => patch.place);
    dimAround(context, view, frames, chosen ? 0.5 : 0.34);
    this.#drawGrid(context, view, chosen ? 0.28 : 0.6);
    if (chosen) this.#drawChosen(context, view, chosen);
    else this.#drawThreads(context, view);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   * @param {number} opacity
   */
  #drawGrid(context, view, opacity) {
    context.beginPath();
    for (const { place } of this.#patches) {
      const { x, y } = view.toStage(place);
      context.rect(x, y, place.side * view.scale, place.side * view.scale);
    }
    context.lineWidth = 1;
    context.strokeStyle = `rgb(255 255 255 / ${opacity})`;
    context.stroke();
  }

  /**
   * From every square a thread to its best source.
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   */
  #drawThreads(context, view) {
    const step = Math.ceil(this.#patches.length / MAX_THREADS);
    context.lineWidth = 1.25;
    context.lineCap = "round";
    for (let index = 0; index < this.#patches.length; index += step) {
      const { place, candidates } = this.#patches[index];
      const from = view.toStage(centre(candidates[0].source));
      const to = view.toStage(centre(place));
      const shade = context.createLinearGradient(from.x, from.y, to.x, to.y);
      shade.addColorStop(0, "rgb(63 224 207 / 0.85)");
      shade.addColorStop(1, "rgb(255 255 255 / 0.15)");
      context.strokeStyle = shade;
      curve(context, from, to);
      context.stroke();
      context.fillStyle = SOURCE;
      context.beginPath();
      context.arc(from.x, from.y, 2.2, 0, Math.PI * 2);
      context.fill();
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   * @param {Patch} patch
   */
  #drawChosen(context, view, patch) {
    const sources = sourcesOf(patch);
    const to = view.toStage(centre(patch.place));
    context.lineCap = "round";
    context.save();
    clipOut(context, view, [patch.place, ...sources.map((candidate) => candidate.source)]);
    // From the last to the first, so that the best one lies on top.
    for (let index = sources.length - 1; index >= 0; index--) {
      const strength = 1 - index / (sources.length + 1);
      const from = view.toStage(centre(sources[index].source));
      curve(context, from, to);
      context.lineWidth = 3 + 2.5 * strength;
      context.strokeStyle = `rgb(0 0 0 / ${0.4 * strength})`;
      context.stroke();
      context.lineWidth = 1 + 2 * strength;
      context.strokeStyle = `rgb(63 224 207 / ${0.35 + 0.6 * strength})`;
      context.stroke();
    }
    context.restore();
    for (let index = sources.length - 1; index >= 0; index--) {
      frame(context, view, sources[index].source, SOURCE, index === 0 ? 3 : 2);
    }
    frame(context, view, patch.place, HOLE, 3);
    this.#drawRanks(context, view, sources);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   * @param {{source: Square}[]} sources
   */
  #drawRanks(context, view, sources) {
    context.font = "700 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    /** @type {Point[]} */
    const taken = [];
    for (const [index, { source }] of sources.entries()) {
      const corner = view.toStage(source);
      const place = { x: corner.x, y: corner.y };
      // Sources often overlap; their numbers step aside.
      while (taken.some((other) => Math.hypot(other.x - place.x, other.y - place.y) < 19)) place.x += 20;
      taken.push(place);
      context.beginPath();
      context.arc(place.x, place.y, 10, 0, Math.PI * 2);
      context.fillStyle = index === 0 ? SOURCE : "#0d3f3b";
      context.fill();
      context.lineWidth = 1.5;
      context.strokeStyle = index === 0 ? "#06302d" : SOURCE;
      context.stroke();
      context.fillStyle = index === 0 ? "#06302d" : "#d9fffa";
      context.fillText(String(index + 1), place.x, place.y + 0.5);
    }
  }
}

/**
 * A curve that bends to one side, so that lines to neighbours do not lie on each other.
 * @param {CanvasRenderingContext2D} context
 * @param {Point} from
 * @param {Point} to
 */
function curve(context, from, to) {
  const bend = 0.16;
  const middle = {
    x: (from.x + to.x) / 2 - (to.y - from.y) * bend,
    y: (from.y + to.y) / 2 + (to.x - from.x) * bend,
  };
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.quadraticCurveTo(middle.x, middle.y, to.x, to.y);
}

/**
 * The square in the stage, large enough to be seen.
 * @param {View} view
 * @param {Square} square
 * @returns {[number, number, number, number]}
 */
function stageRect(view, square) {
  const side = Math.max(square.side * view.scale, LEAST_FRAME_PX);
  const { x, y } = view.toStage(centre(square));
  return [x - side / 2, y - side / 2, side, side];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Square} square
 * @param {string} colour
 * @param {number} width
 */
function frame(context, view, square, colour, width) {
  context.beginPath();
  context.roundRect(...stageRect(view, square), 3);
  context.lineWidth = width + 2.5;
  context.strokeStyle = "rgb(0 0 0 / 0.55)";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

/**
 * Keeps what is drawn next out of the squares, so that their texture is seen.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Square[]} squares
 */
function clipOut(context, view, squares) {
  for (const square of squares) {
    context.beginPath();
    context.rect(0, 0, view.stageWidth, view.stageHeight);
    context.rect(...stageRect(view, square));
    context.clip("evenodd");
  }
}

/**
 * Darkens everything but the squares.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Square[]} squares
 * @param {number} opacity
 */
function dimAround(context, view, squares, opacity) {
  const { x, y } = view.toStage({ x: 0, y: 0 });
  context.fillStyle = `rgb(12 12 14 / ${opacity})`;
  context.fillRect(x, y, view.pictureWidth * view.scale, view.pictureHeight * view.scale);
  context.globalCompositeOperation = "destination-out";
  context.fillStyle = "#000";
  context.beginPath();
  for (const square of squares) context.rect(...stageRect(view, square));
  context.fill();
  context.globalCompositeOperation = "source-over";
}

/**
 * @param {Square} place
 * @param {Square} source
 * @returns {string} As "120 px to the left, 40 px above".
 */
function whereFrom(place, source) {
  const from = centre(place);
  const to = centre(source);
  const dx = Math.round(to.x - from.x);
  const dy = Math.round(to.y - from.y);
  const parts = [];
  if (dx) parts.push(t(dx < 0 ? "{count} px to the left" : "{count} px to the right", { count: number(Math.abs(dx)) }));
  if (dy) parts.push(t(dy < 0 ? "{count} px above" : "{count} px below", { count: number(Math.abs(dy)) }));
  return parts.length ? parts.join(", ") : t("at the same place");
}
