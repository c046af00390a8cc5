/**
 * The picture that is open: its file, what is marked, the results so far and their history.
 * It knows nothing of the page, which is told by `onChange`.
 */

import { explain, inpaint, Problem } from "./api.js";
import { formatOf } from "./files.js";
import { History } from "./history.js";
import { t } from "./i18n.js";
import { TiledMask } from "./mask.js";
import { Picture } from "./picture.js";
import { cutThing } from "./rim.js";
import { selectThing } from "./select.js";
import { tiffSize } from "./tiff.js";

/** @typedef {import("./api.js").Options} Options */
/** @typedef {import("./api.js").Progress} Progress */
/** @typedef {import("./api.js").Explanation} Explanation */
/** @typedef {import("./mask.js").Change} Change */
/** @typedef {import("./view.js").Point} Point */
/** The picture as it was opened, or after a removal.
 * @typedef {object} Version
 * @property {Blob} file
 * @property {Picture | null} picture Decoded as long as it is needed.
 * @property {Origin | null} origin How it was made; null for the opened picture.
 */
/** @typedef {{from: Version, mask: Blob, options: Options, explanation: Explanation | null}} Origin */

/** The service is asked again this often when it is busy. */
const MAX_TRIES = 8;

/** A reason to tell the person, in the person's language. */
export class UserError extends Error {}

/** @param {number} seconds @param {AbortSignal} signal */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/**
 * @param {Blob} file
 * @param {() => void} [onBetter]
 */
async function decode(file, onBetter) {
  const format = await formatOf(file);
  try {
    const shown = format?.name === "TIFF" ? await pngOfTiff(file) : file;
    return await Picture.decode(shown, onBetter);
  } catch (error) {
    if (error instanceof Problem || error instanceof UserError) throw error;
    throw new UserError(
      format
        ? t("This browser cannot show {format} files, or this one is damaged. PNG and JPEG always work.", { format: format.name })
        : t("This file is not a picture that can be read here. PNG and JPEG always work."),
    );
  }
}

/**
 * Has the service turn a picture into PNG: it fills a hole that is empty.
 * @param {Blob} file
 */
async function pngOfTiff(file) {
  const size = await tiffSize(file);
  if (!size) throw new UserError(t("This TIFF file is damaged."));
  const mask = await new TiledMask(size.width, size.height).toPng();
  const options = { method: "patchmatch", seed: 0, grow_px: 0, format: "png" };
  const request = { image: file, imageName: "picture.tiff", mask, options };
  return (await inpaint(request, new AbortController().signal, () => {})).picture;
}

export class Editor {
  name = "";
  /** @type {Version | null} */
  original = null;
  /** @type {Version | null} */
  current = null;
  /** @type {TiledMask | null} */
  mask = null;
  history = new History();
  /** Whether there is something that is not saved. */
  unsaved = false;
  /** @type {AbortController | null} */
  #job = null;

  /** @param {() => void} onChange Called when something other than a stroke in progress changed. */
  constructor(onChange) {
    this.onChange = onChange;
  }

  get isRunning() {
    return this.#job !== null;
  }

  get hasResult() {
    return Boolean(this.current?.origin);
  }

  /**
   * @param {Blob} file
   * @param {string} name
   */
  async open(file, name) {
    const picture = await decode(file, () => this.onChange());
    // What the service does not read goes there as what the browser made of it.
    if (!(await formatOf(file))?.sent) {
      file = await picture.toPng();
      name = `${name.replace(/\.[^.]*$/, "")}.png`;
    }
    this.cancel();
    this.original?.picture?.close();
    this.current?.picture?.close();
    this.history.clear();
    this.name = name;
    this.original = this.current = { file, picture, origin: null };
    this.mask = new TiledMask(picture.width, picture.height);
    this.unsaved = false;
    this.onChange();
  }

  /**
   * Ends a stroke.
   * @param {() => void} finish Paints what is painted at the end.
   * @returns {boolean} Whether it marked or erased anything.
   */
  commitStroke(finish) {
    finish();
    return this.#record(this.mask?.commit() ?? null);
  }

  /**
   * Marks the thing that a scribble lies on.
   * @param {Point[]} points
   * @param {number} radius
   */
  async selectThing(points, radius) {
    const { mask, current } = this;
    if (!mask || !current?.picture) return;
    const selecting = selectThing(current.picture, points, radius);
    this.#selecting = selecting.catch(() => {});
    const found = await selecting;
    if (mask === this.mask) this.markThing(found);
  }

  /**
   * Adds a thing to what is marked, unless a stroke is going on that it would become part of.
   * @param {import("./select.js").Found} thing
   */
  markThing({ box, shape }) {
    const { mask } = this;
    if (!mask || mask.isOpen) return;
    mask.begin();
    mask.paint(box, (context) => context.drawImage(shape, box.x, box.y, box.width, box.height), false);
    this.#record(mask.commit());
  }

  /**
   * Looks whether what is marked cuts through a thing.
   * @returns {Promise<import("./select.js").Found | null>} The whole thing; null also where that is
   *   not known.
   */
  async findCutThing() {
    const { mask, current } = this;
    if (!mask || !current?.picture || this.isRunning) return null;
    const looking = cutThing(current.picture, mask.snapshot()).catch(() => null);
    this.#selecting = looking;
    return looking;
  }

  /** The last selection, which the next removal waits for. @type {Promise<unknown>} */
  #selecting = Promise.resolve();

  clearMask() {
    return this.#record(this.mask?.clear() ?? null);
  }

  /** @param {Blob} file */
  async importMask(file) {
    const { mask } = this;
    if (!mask) return { scaled: false };
    const bitmap = await createImageBitmap(file).catch(() => {
      throw new UserError(t("The mask is not a picture that can be read here."));
    });
    const scaled = bitmap.width !== mask.width || bitmap.height !== mask.height;
    // Another size is scaled, but another shape would mark other things than were meant.
    const stretch = (bitmap.width / bitmap.height) * (mask.height / mask.width);
    if (stretch > 1.02 || stretch < 0.98) {
      const size = `${bitmap.width} × ${bitmap.height}`;
      bitmap.close();
      throw new UserError(
        t("The mask is {mask}, the picture {picture}. It has to have the same shape.", {
          mask: size,
          picture: `${mask.width} × ${mask.height}`,
        }),
      );
    }
    this.#record(mask.load(bitmap));
    bitmap.close();
    return { scaled };
  }

  /** @param {Change | null} change */
  #record(change) {
    const { mask } = this;
    if (change && mask) {
      const swap = () => {
        mask.swap(change);
        this.onChange();
      };
      this.history.push({ undo: swap, redo: swap });
    }
    this.onChange();
    return change !== null;
  }

  /** Stops what is running. */
  cancel() {
    this.#job?.abort(new DOMException("cancelled", "AbortError"));
  }

  /**
   * Fills what is marked.
   * @param {Options} options
   * @param {(progress: Progress) => void} onProgress
   * @returns {Promise<{warning: string} | null>} Null when it was cancelled.
   */
  async remove(options, onProgress) {
    const { mask, current } = this;
    if (!mask || !current || mask.isEmpty || this.isRunning) return null;
    let warning = "";
    const done = await this.#run(async (signal) => {
      await this.#selecting;
      const maskFile = await mask.toPng();
      const request = { image: current.file, imageName: this.name, mask: maskFile, options };
      // The last result is sent as it came. For JPEG, too, although that codes it anew each time:
      // the service keeps the file's own tables, so that five removals from a photograph changed
      // what was never painted by 0.2 to 0.4 levels on average (4:2:0; 0.005 with 4:4:4). Going
      // over PNG costs 0.25 to 0.5 at once, the tables, and up to half more bytes.
      const answer = await this.#patiently(() => inpaint(request, signal, onProgress), signal, onProgress);
      const file = answer.picture;
      const picture = await decode(file, () => this.onChange());
      signal.throwIfAborted();
      if (picture.width !== mask.width || picture.height !== mask.height) {
        picture.close();
        throw new Problem(t("The result has another size than the picture"), "");
      }
      warning = answer.warning;
      this.#take({ file, picture, origin: { from: current, mask: maskFile, options, explanation: null } });
    });
    return done ? { warning } : null;
  }

  /** @param {Version} result */
  #take(result) {
    const before = /** @type {Version} */ (result.origin?.from);
    const change = this.mask?.clear() ?? null;
    this.history.push({
      undo: () => this.#show(before, change),
      redo: () => this.#show(result, change),
    });
    this.current = result;
    this.unsaved = true;
    this.#closeUnused();
    this.onChange();
  }

  /**
   * @param {Version} version
   * @param {Change | null} change
   */
  async #show(version, change) {
    version.picture ??= await decode(version.file, () => this.onChange());
    this.current = version;
    if (change) this.mask?.swap(change);
    this.#closeUnused();
    this.onChange();
  }

  /** Undone and older results keep their file only: decoded, each may take 200 MB. */
  #closeUnused() {
    const { current, original } = this;
    for (let version = current?.origin?.from; version; version = version.origin?.from) {
      if (version === original) continue;
      version.picture?.close();
      version.picture = null;
    }
    for (const version of this.#seen) {
      if (version === current || version === original) continue;
      version.picture?.close();
      version.picture = null;
    }
    this.#seen.clear();
    if (current) this.#seen.add(current);
  }

  /** The version that was shown before the last change. @type {Set<Version>} */
  #seen = new Set();

  /**
   * Where the texture of the last removal came from.
   * @param {(progress: Progress) => void} onProgress
   * @returns {Promise<Explanation | null>}
   */
  async explain(onProgress) {
    const origin = this.current?.origin;
    if (!origin || this.isRunning) return null;
    if (origin.explanation) return origin.explanation;
    await this.#run(async (signal) => {
      const { from, mask, options } = origin;
      const request = { image: from.file, imageName: this.name, mask, options };
      origin.explanation = await this.#patiently(() => explain(request, signal, onProgress), signal, onProgress);
    });
    return origin.explanation;
  }

  /** @param {(signal: AbortSignal) => Promise<void>} work */
  async #run(work) {
    const job = new AbortController();
    this.#job = job;
    this.onChange();
    try {
      await work(job.signal);
      return true;
    } catch (error) {
      if (job.signal.aborted) return false;
      throw error;
    } finally {
      this.#job = null;
      this.onChange();
    }
  }

  /**
   * Asks again after a while as long as the service says that it is busy.
   * @template T
   * @param {() => Promise<T>} ask
   * @param {AbortSignal} signal
   * @param {(progress: Progress) => void} onProgress
   * @returns {Promise<T>}
   */
  async #patiently(ask, signal, onProgress) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 429 || attempt === MAX_TRIES) throw error;
        const seconds = Math.min(Math.max(error.retryAfter, 1), 30);
        onProgress({ state: "busy", fraction: 0, queue_position: seconds });
        await pause(seconds, signal);
      }
    }
  }
}
