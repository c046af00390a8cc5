/** Draws the example: a brick wall above cobblestones, and a traffic cone that asks to be removed. */

const WIDTH = 1440;
const HEIGHT = 960;
/** Where the wall meets the street. */
const GROUND = 560;

/**
 * Repeatable random numbers from 0 to 1 (mulberry32), so that everyone sees the same picture.
 * @param {number} seed
 */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** @typedef {OffscreenCanvasRenderingContext2D} Context */
/** @typedef {() => number} Random */

/** @returns {Promise<Blob>} A PNG file. */
export async function drawExample() {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot draw on a canvas");
  const random = generator(7);
  drawWall(context, random);
  drawWindow(context, 190, 90, 250, 330);
  drawWindow(context, 1010, 90, 250, 330);
  drawStreet(context, random);
  drawCurb(context, random);
  drawGrain(context, random);
  drawLight(context);
  drawCone(context, 760, 770);
  return canvas.convertToBlob({ type: "image/png" });
}

/**
 * @param {Context} context
 * @param {Random} random
 */
function drawWall(context, random) {
  context.fillStyle = "#b9a894";
  context.fillRect(0, 0, WIDTH, GROUND);
  const [brickWidth, brickHeight, joint] = [72, 24, 4];
  for (let row = 0; row * (brickHeight + joint) < GROUND; row++) {
    const y = row * (brickHeight + joint);
    const shift = row % 2 ? -(brickWidth + joint) / 2 : 0;
    for (let x = shift; x < WIDTH; x += brickWidth + joint) {
      const hue = 12 + random() * 9;
      const light = 38 + random() * 13;
      const left = x + random() * 1.5;
      const top = y + random() * 1.5;
      context.fillStyle = `hsl(${hue} ${34 + random() * 14}% ${light}%)`;
      context.beginPath();
      context.roundRect(left, top, brickWidth, brickHeight, 2.5);
      context.fill();
      context.fillStyle = `hsl(${hue} 40% ${light + 9}% / 0.55)`;
      context.fillRect(left + 2, top, brickWidth - 4, 2);
      context.fillStyle = `hsl(${hue} 40% ${light - 14}% / 0.6)`;
      context.fillRect(left + 2, top + brickHeight - 2.5, brickWidth - 4, 2.5);
      for (let spot = 0; spot < 9; spot++) {
        context.fillStyle = `hsl(${hue} 30% ${light + (random() - 0.5) * 26}% / 0.5)`;
        const size = 1 + random() * 3.5;
        context.fillRect(left + random() * (brickWidth - 4), top + random() * (brickHeight - 4), size, size);
      }
    }
  }
}

/**
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function drawWindow(context, x, y, width, height) {
  context.fillStyle = "rgb(30 18 12 / 0.35)";
  context.fillRect(x - 14, y - 8, width + 34, height + 30);
  context.fillStyle = "#e9e2d3";
  context.fillRect(x - 18, y - 18, width + 36, height + 30);
  const glass = context.createLinearGradient(x, y, x + width, y + height);
  glass.addColorStop(0, "#7fa4b8");
  glass.addColorStop(0.45, "#3c5a6c");
  glass.addColorStop(0.5, "#5f8499");
  glass.addColorStop(1, "#22343f");
  context.fillStyle = glass;
  context.fillRect(x, y, width, height);
  context.fillStyle = "#f4efe4";
  context.fillRect(x + width / 2 - 6, y, 12, height);
  context.fillRect(x, y + height * 0.36, width, 10);
  context.fillStyle = "#cfc5b2";
  context.fillRect(x - 28, y + height + 12, width + 56, 18);
  context.fillStyle = "rgb(30 18 12 / 0.3)";
  context.fillRect(x - 28, y + height + 30, width + 56, 10);
}

/**
 * @param {Context} context
 * @param {Random} random
 */
function drawStreet(context, random) {
  context.fillStyle = "#4b4842";
  context.fillRect(0, GROUND, WIDTH, HEIGHT - GROUND);
  const [across, down] = [46, 38];
  for (let row = 0; row * down < HEIGHT - GROUND; row++) {
    for (let x = row % 2 ? -across / 2 : 0; x < WIDTH; x += across) {
      const left = x + (random() - 0.5) * 5;
      const top = GROUND + row * down + (random() - 0.5) * 4;
      const width = across - 4 - random() * 4;
      const height = down - 4 - random() * 3;
      const light = 46 + random() * 16;
      const stone = context.createLinearGradient(left, top, left, top + height);
      stone.addColorStop(0, `hsl(38 7% ${light + 9}%)`);
      stone.addColorStop(1, `hsl(34 8% ${light - 11}%)`);
      context.fillStyle = stone;
      context.beginPath();
      context.roundRect(left, top, width, height, 9 + random() * 4);
      context.fill();
      for (let spot = 0; spot < 10; spot++) {
        context.fillStyle = `hsl(36 8% ${light + (random() - 0.5) * 34}% / 0.5)`;
        const size = 1 + random() * 3;
        context.fillRect(left + 3 + random() * (width - 8), top + 3 + random() * (height - 8), size, size);
      }
    }
  }
}

/**
 * @param {Context} context
 * @param {Random} random
 */
function drawCurb(context, random) {
  for (let x = -30; x < WIDTH; x += 180) {
    const light = 66 + random() * 6;
    context.fillStyle = `hsl(40 9% ${light}%)`;
    context.fillRect(x, GROUND - 12, 176, 34);
    context.fillStyle = `hsl(40 9% ${light - 16}%)`;
    context.fillRect(x, GROUND + 22, 176, 12);
  }
  context.fillStyle = "rgb(25 20 15 / 0.45)";
  context.fillRect(0, GROUND + 34, WIDTH, 8);
}

/**
 * @param {Context} context
 * @param {Random} random
 */
function drawGrain(context, random) {
  for (let grain = 0; grain < 26000; grain++) {
    context.fillStyle = random() < 0.5 ? "rgb(255 244 225 / 0.09)" : "rgb(20 10 5 / 0.1)";
    context.fillRect(random() * WIDTH, random() * HEIGHT, 1 + random() * 2, 1 + random() * 2);
  }
}

/** @param {Context} context */
function drawLight(context) {
  const sun = context.createLinearGradient(0, 0, WIDTH, HEIGHT);
  sun.addColorStop(0, "rgb(255 222 170 / 0.28)");
  sun.addColorStop(0.55, "rgb(255 222 170 / 0.05)");
  sun.addColorStop(1, "rgb(25 30 60 / 0.3)");
  context.fillStyle = sun;
  context.fillRect(0, 0, WIDTH, HEIGHT);
}

/**
 * @param {Context} context
 * @param {number} x The middle of the foot.
 * @param {number} y Its lower edge.
 */
function drawCone(context, x, y) {
  context.save();
  context.translate(x, y);
  context.fillStyle = "rgb(15 12 10 / 0.42)";
  context.beginPath();
  context.ellipse(52, 2, 128, 22, -0.06, 0, Math.PI * 2);
  context.fill();

  const foot = context.createLinearGradient(-90, 0, 90, 0);
  foot.addColorStop(0, "#ff7a2f");
  foot.addColorStop(1, "#b83c06");
  context.fillStyle = foot;
  context.beginPath();
  context.roundRect(-92, -22, 184, 28, 8);
  context.fill();

  /** The half width of the cone at a height. @param {number} height */
  const half = (height) => 64 - height * 0.2;
  /** @param {number} from @param {number} to @param {string[]} colours */
  const band = (from, to, colours) => {
    const gradient = context.createLinearGradient(-64, 0, 64, 0);
    colours.forEach((colour, index) => gradient.addColorStop(index / (colours.length - 1), colour));
    context.fillStyle = gradient;
    context.beginPath();
    context.moveTo(-half(from), -18 - from);
    context.lineTo(-half(to), -18 - to);
    context.lineTo(half(to), -18 - to);
    context.lineTo(half(from), -18 - from);
    context.fill();
  };
  const orange = ["#f2641a", "#ff9a55", "#e2560f", "#a63504"];
  const white = ["#dcdcd8", "#ffffff", "#d2d2cd", "#9b9b96"];
  band(0, 62, orange);
  band(62, 112, white);
  band(112, 158, orange);
  band(158, 200, white);
  band(200, 250, orange);
  context.fillStyle = "#8f2d03";
  context.beginPath();
  context.ellipse(0, -268, 14, 5, 0, 0, Math.PI * 2);
  context.fill();
  context.restore();
}
