// Pictures made and read without a browser: what is checked should not pass through what is tested.

import { deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** An 8-bit RGB file with a text chunk, so that lost metadata is noticed. `pixels`: RGB, row by row. */
export function encodePng(width, height, pixels, author = "") {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * width * 3, (y + 1) * width * 3), y * (width * 3 + 1) + 1);
  }
  const density = Buffer.from([0, 0, 0x0b, 0x13, 0, 0, 0x0b, 0x13, 1]);
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("pHYs", density),
    ...(author ? [chunk("tEXt", Buffer.from(`Author\0${author}`, "latin1"))] : []),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(guess - value));
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Reads 1- and 8-bit files without interlacing or palette; `pixels` has one byte per sample. */
export function decodePng(file) {
  if (!file.subarray(0, 8).equals(SIGNATURE)) throw new Error("not a PNG file");
  let header;
  const data = [];
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const name = file.toString("latin1", at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (name === "IHDR") header = body;
    if (name === "IDAT") data.push(body);
    at += length + 12;
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const [depth, color, , , interlaced] = header.subarray(8);
  const channels = CHANNELS[color];
  if (![1, 8].includes(depth) || color === 3 || interlaced) throw new Error(`a PNG of another kind: ${depth} ${color}`);
  const raw = inflateSync(Buffer.concat(data));
  const stride = Math.ceil((width * channels * depth) / 8);
  const back = Math.max(1, (channels * depth) >> 3);
  const bytes = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const left = x >= back ? bytes[y * stride + x - back] : 0;
      const up = y ? bytes[(y - 1) * stride + x] : 0;
      const corner = x >= back && y ? bytes[(y - 1) * stride + x - back] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      bytes[y * stride + x] = raw[y * (stride + 1) + 1 + x] + guess;
    }
  }
  if (depth === 8) return { width, height, channels, pixels: bytes };
  const pixels = Buffer.alloc(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels[y * width + x] = (bytes[y * stride + (x >> 3)] >> (7 - (x & 7))) & 1 ? 255 : 0;
  }
  return { width, height, channels, pixels };
}

/** A wall of stones with a red disc in the middle, different in every pixel; RGB. */
export function wall(width, height) {
  const pixels = Buffer.alloc(width * height * 3);
  let state = 1;
  const noise = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 28;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const shift = (y >> 4) & 1 ? 12 : 0;
      const joint = (x + shift) % 24 < 2 || y % 16 < 2;
      const stone = joint ? 90 : 150 + (((x + shift) / 24) | 0) % 3 * 14;
      const inDisc = Math.hypot(x - width / 2, y - height / 2) < height / 8;
      const color = inDisc ? [210, 30, 30] : [stone, stone - 14, stone - 30];
      const grain = noise();
      color.forEach((value, i) => (pixels[(y * width + x) * 3 + i] = value + grain));
    }
  }
  return pixels;
}

/** How two pictures differ where `mask` is black and where it is white. */
export function compare(a, b, mask) {
  const count = { black: 0, white: 0 };
  for (let i = 0; i < mask.length; i++) {
    for (let c = 0; c < 3; c++) {
      if (a[i * 3 + c] !== b[i * 3 + c]) {
        count[mask[i] ? "white" : "black"]++;
        break;
      }
    }
  }
  return { changedOutside: count.black, changedInside: count.white };
}
