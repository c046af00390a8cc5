/** What the tools paint into the mask. */

/** @typedef {import("./mask.js").TiledMask} TiledMask */
/** @typedef {import("./mask.js").Box} Box */
/** @typedef {import("./view.js").Point} Point */
/** @typedef {import("./renderer.js").Sketch} Sketch */

/**
 * A stroke while it is being made.
 * @typedef {object} Stroke
 * @property {(point: Point, pressure: number) => void} move
 * @property {() => void} finish Paints what is painted at the end; the change stays open.
 * @property {() => Sketch | null} sketch
 */

/** @param {Point[]} points @param {number} margin @returns {Box} */
function boxAround(points, margin) {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const x = Math.min(...xs) - margin;
  const y = Math.min(...ys) - margin;
  return { x, y, width: Math.max(...xs) + margin - x, height: Math.max(...ys) + margin - y };
}

/**
 * @param {TiledMask} mask
 * @param {Point} start
 * @param {number} radius
 * @param {number} pressure
 * @param {boolean} erase
 * @returns {Stroke}
 */
export function brushStroke(mask, start, radius, pressure, erase) {
  let last = start;
  /** @param {Point} to @param {number} strength */
  const segment = (to, strength) => {
    // A mouse presses with 0.5, which is the size that is set.
    const width = Math.max(2 * radius * (0.4 + 1.2 * strength), 1);
    const from = last;
    mask.paint(
      boxAround([from, to], width / 2 + 1),
      (context) => {
        context.lineCap = "round";
        context.lineWidth = width;
        context.beginPath();
        context.moveTo(from.x, from.y);
        // A line without length draws no round caps everywhere.
        context.lineTo(to.x + (from.x === to.x && from.y === to.y ? 0.01 : 0), to.y);
        context.stroke();
      },
      erase,
    );
    last = to;
  };
  segment(start, pressure);
  return { move: segment, finish: () => {}, sketch: () => null };
}

/**
 * A scribble on a thing, which is to grow to its border.
 * @param {TiledMask} mask
 * @param {Point} start
 * @param {number} radius
 * @param {(points: Point[], radius: number) => void} onEnd
 * @returns {Stroke}
 */
export function scribbleStroke(mask, start, radius, onEnd) {
  const points = [start];
  const stroke = brushStroke(mask, start, radius, 0.5, false);
  return {
    move: (point) => {
      points.push(point);
      stroke.move(point, 0.5);
    },
    finish: () => onEnd(points, radius),
    sketch: () => null,
  };
}

/**
 * @param {TiledMask} mask
 * @param {Point} start
 * @param {boolean} erase
 * @returns {Stroke}
 */
export function lassoStroke(mask, start, erase) {
  const points = [start];
  return {
    move: (point) => {
      const last = points[points.length - 1];
      if (Math.hypot(point.x - last.x, point.y - last.y) >= 0.5) points.push(point);
    },
    finish: () => {
      if (points.length > 2) fillPath(mask, points, erase);
    },
    sketch: () => ({ kind: "path", points, erase }),
  };
}

/**
 * @param {TiledMask} mask
 * @param {Point} start
 * @param {boolean} erase
 * @returns {Stroke}
 */
export function boxStroke(mask, start, erase) {
  let end = start;
  const corners = () => [start, { x: end.x, y: start.y }, end, { x: start.x, y: end.y }];
  return {
    move: (point) => {
      end = point;
    },
    finish: () => {
      const [{ x: left, y: top }, , { x: right, y: bottom }] = corners().map(({ x, y }) => ({
        x: Math.round(x),
        y: Math.round(y),
      }));
      if (left === right || top === bottom) return;
      fillPath(mask, [{ x: left, y: top }, { x: right, y: top }, { x: right, y: bottom }, { x: left, y: bottom }], erase);
    },
    sketch: () => ({ kind: "path", points: corners(), erase }),
  };
}

/**
 * @param {TiledMask} mask
 * @param {Point[]} points
 * @param {boolean} erase
 */
function fillPath(mask, points, erase) {
  mask.paint(
    boxAround(points, 1),
    (context) => {
      context.beginPath();
      for (const { x, y } of points) context.lineTo(x, y);
      context.closePath();
      context.fill();
    },
    erase,
  );
}
