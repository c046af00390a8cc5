// Files of every format, and services that ask for a token.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  chooseMethod, DESK, downloaded, drag, ofTheService, openPage, openPicture, placing, remove, startBrowser, startService,
} from "./harness.mjs";
import { decodePng, encodePng, wall } from "./pictures.mjs";

const [WIDTH, HEIGHT] = [320, 240];
const PIXELS = wall(WIDTH, HEIGHT);
const PICTURE = encodePng(WIDTH, HEIGHT, PIXELS);

let service;
let browser;
before(async () => {
  [service, browser] = await Promise.all([startService(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** Has the browser write a picture in another format. */
async function encoded(page, mime, quality) {
  const url = `data:image/png;base64,${PICTURE.toString("base64")}`;
  const bytes = await page.evaluate(
    async ([source, type, value]) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      canvas.getContext("2d").drawImage(image, 0, 0);
      const blob = await canvas.convertToBlob({ type, quality: value });
      return [...new Uint8Array(await blob.arrayBuffer())];
    },
    [url, mime, quality],
  );
  return Buffer.from(bytes);
}

/** Pixels of a file as the browser decodes it; RGBA. */
function decoded(page, file) {
  return page.evaluate(async (bytes) => {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return [...context.getImageData(0, 0, bitmap.width, bitmap.height).data];
  }, [...file]);
}

/** A JPEG file with an EXIF block of a camera that lies on its side (orientation 6). */
function withExif(jpeg) {
  const entries = [
    [0x010f, 2, 5, Buffer.from("tmad\0")],
    [0x0112, 3, 1, Buffer.from([6, 0, 0, 0])],
  ];
  const tiff = Buffer.alloc(8 + 2 + entries.length * 12 + 4 + 6);
  tiff.write("II*\0", 0, "latin1");
  tiff.writeUInt32LE(8, 4);
  tiff.writeUInt16LE(entries.length, 8);
  const spare = 8 + 2 + entries.length * 12 + 4;
  entries.forEach(([tag, type, count, value], i) => {
    const at = 10 + i * 12;
    tiff.writeUInt16LE(tag, at);
    tiff.writeUInt16LE(type, at + 2);
    tiff.writeUInt32LE(count, at + 4);
    if (value.length > 4) {
      tiff.writeUInt32LE(spare, at + 8);
      value.copy(tiff, spare);
    } else {
      value.copy(tiff, at + 8);
    }
  });
  const body = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)]);
}

/**
 * Removes three things from a JPEG, one after the other, and saves it.
 * @returns What was saved, and by how many levels the colours far from the holes changed.
 */
async function removeThree(page, name, photo, [width, height], places) {
  await openPicture(page, name, photo, "image/jpeg");
  assert.match(await page.locator("#file-facts").textContent(), new RegExp(`^${width} × ${height} .* JPEG$`));
  await chooseMethod(page, "patchmatch");
  const at = await placing(page, width, height);
  const union = Buffer.alloc(width * height);
  for (const points of places) {
    await drag(page, at, points);
    const { bytes } = await downloaded(page, () => page.click("[data-do=export-mask]"));
    decodePng(bytes).pixels.forEach((value, i) => (union[i] |= value));
    await remove(page);
  }
  const saved = await downloaded(page, () => page.click("[data-do=save]"));
  const [before, after] = [await decoded(page, photo), await decoded(page, saved.bytes)];
  assert.equal(after.length, before.length);
  let [sum, count] = [0, 0];
  for (let i = 0; i < width * height; i++) {
    if (isNear(union, width, height, i)) continue;
    for (let c = 0; c < 3; c++) sum += Math.abs(before[i * 4 + c] - after[i * 4 + c]);
    count += 3;
  }
  assert.ok(count > width * height, "most of the picture is far from the holes");
  return { saved, change: sum / count };
}

/** JPEG codes blocks of 16 pixels: where a hole touches one, all of it may change. */
function isNear(mask, width, height, i) {
  const [x, y] = [i % width, Math.floor(i / width)];
  for (let v = Math.max(0, y - 16); v <= Math.min(height - 1, y + 16); v += 4) {
    for (let u = Math.max(0, x - 16); u <= Math.min(width - 1, x + 16); u += 4) if (mask[v * width + u]) return true;
  }
  return false;
}

test("JPEG: what was not painted is as it was, also after three removals", async () => {
  const { page, close } = await openPage(browser, service.url);
  const photo = await encoded(page, "image/jpeg", 0.9);
  const places = [[[130, 120], [190, 120]], [[40, 30], [60, 50]], [[280, 200], [260, 180]]];
  const { saved, change } = await removeThree(page, "photo.jpg", photo, [WIDTH, HEIGHT], places);
  assert.equal(saved.name, "photo-cleaned.jpg");
  // The project's own bound for JPEG.
  assert.ok(change < 1, `${change} levels`);
  await close();
});

test("a photo of a camera on its side is shown upright and keeps its metadata", async () => {
  const { page, close } = await openPage(browser, service.url);
  const photo = withExif(await encoded(page, "image/jpeg", 0.9));
  const places = [[[110, 160], [130, 160]], [[30, 40], [50, 60]], [[200, 280], [180, 260]]];
  const { saved, change } = await removeThree(page, "IMG_0001.JPG", photo, [HEIGHT, WIDTH], places);
  assert.equal(saved.name, "IMG_0001-cleaned.JPG");
  assert.equal(saved.bytes.readUInt16BE(0), 0xffd8);
  assert.ok(saved.bytes.subarray(0, 400).includes("Exif\0\0"), "EXIF is kept");
  assert.ok(saved.bytes.subarray(0, 400).includes("tmad"), "the camera's name is kept");
  // Turned the wrong way, it would differ by tens of levels. It was coded on its side and is coded
  // upright, so its tables do not fit as well as above.
  assert.ok(change < 3, `${change} levels`);
  await close();
});

test("WebP stays WebP", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.webp", await encoded(page, "image/webp", 0.95), "image/webp");
  await chooseMethod(page, "patchmatch");
  await drag(page, await placing(page, WIDTH, HEIGHT), [[130, 120], [190, 120]]);
  await remove(page);
  const saved = await downloaded(page, () => page.click("[data-do=save]"));
  assert.equal(saved.name, "wall-cleaned.webp");
  assert.equal(saved.bytes.toString("latin1", 8, 12), "WEBP");
  await close();
});

/** An uncompressed RGB file in one strip. */
function tiff() {
  const tags = [[256, 3, WIDTH], [257, 3, HEIGHT], [258, 3, 8], [259, 3, 1], [262, 3, 2], [273, 4, 8], [277, 3, 3], [278, 3, HEIGHT], [279, 4, PIXELS.length]];
  const head = Buffer.alloc(8);
  head.write("II*\0", 0, "latin1");
  head.writeUInt32LE(8 + PIXELS.length, 4);
  const directory = Buffer.alloc(2 + tags.length * 12 + 4 + 6);
  const end = 8 + PIXELS.length + 2 + tags.length * 12 + 4;
  directory.writeUInt16LE(tags.length, 0);
  tags.forEach(([tag, type, value], i) => {
    const at = 2 + i * 12;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(tag === 258 ? 3 : 1, at + 4);
    if (tag === 258) directory.writeUInt32LE(end, at + 8);
    else directory.writeUInt32LE(value, at + 8);
  });
  for (let i = 0; i < 3; i++) directory.writeUInt16LE(8, 2 + tags.length * 12 + 4 + i * 2);
  return Buffer.concat([head, PIXELS, directory]);
}

test("TIFF, which no browser shows, is shown and stays TIFF", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "scan.tif", tiff(), "image/tiff");
  assert.match(await page.locator("#file-facts").textContent(), /^320 × 240 .* TIFF$/);
  await chooseMethod(page, "patchmatch");
  await drag(page, await placing(page, WIDTH, HEIGHT), [[130, 120], [190, 120]]);
  await remove(page);
  const saved = await downloaded(page, () => page.click("[data-do=save]"));
  assert.equal(saved.name, "scan-cleaned.tif");
  assert.match(saved.bytes.toString("latin1", 0, 4), /^(II\*\0|MM\0\*)/);
  await close();
});

test("a picture is pasted, another dropped", async () => {
  const { page, close } = await openPage(browser, service.url, { ...DESK, permissions: ["clipboard-read", "clipboard-write"] });
  const give = (kind) =>
    page.evaluate(
      ([type, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], `${type}.png`, { type: "image/png" }));
        const event =
          type === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
      },
      [kind, [...PICTURE]],
    );
  for (const kind of ["paste", "drop"]) {
    await give(kind);
    await page.waitForFunction((name) => document.getElementById("file-name").textContent === name, `${kind}.png`);
  }
  await page.click(".bar [data-do=copy]");
  await page.waitForSelector(".toast.good");
  const types = await page.evaluate(async () => (await navigator.clipboard.read()).flatMap((item) => item.types));
  assert.deepEqual(types, ["image/png"]);
  await close();
});

test("the example is drawn and filled", async () => {
  const { page, close } = await openPage(browser, service.url);
  await page.click("[data-do=example]");
  await page.waitForFunction(() => document.getElementById("file-name").textContent === "example.png");
  assert.match(await page.locator("#coach").textContent(), /traffic cone/);
  await drag(page, await placing(page, 1440, 960), [[760, 520], [760, 760]]);
  assert.equal(await page.locator("#coach").isVisible(), false);
  await chooseMethod(page, "patchmatch");
  await remove(page);
  await close();
});

test("a token is asked for, refused and accepted", ofTheService, async () => {
  const secret = "token-of-these-tests-0123456789";
  const guarded = await startService("--token", secret);
  try {
    const { page, close } = await openPage(browser, guarded.url, DESK, { expectErrors: true });
    await page.waitForSelector("#token-dialog[open]");
    await page.fill("#token", "wrong");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("token-error").textContent.includes("does not accept"));
    await page.fill("#token", secret);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".method", { state: "attached" });
    await openPicture(page, "wall.png", PICTURE);
    await chooseMethod(page, "patchmatch");
    await drag(page, await placing(page, WIDTH, HEIGHT), [[130, 120], [190, 120]]);
    await remove(page);
    assert.equal(await page.evaluate((value) => JSON.stringify(localStorage).includes(value), secret), false);
    await close();
  } finally {
    await guarded.stop();
  }
});
