// The whole way of a picture through the page, in a window of a desk.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  chooseMethod, DESK, downloaded, drag, explains, ofTheService, openPage, openPicture, placing, remove, RUN_MS,
  startBrowser, startService,
} from "./harness.mjs";
import { compare, decodePng, encodePng, wall } from "./pictures.mjs";

const [WIDTH, HEIGHT] = [320, 240];
const PIXELS = wall(WIDTH, HEIGHT);
const PICTURE = encodePng(WIDTH, HEIGHT, PIXELS, "tmad tests");
const OVER_DISC = [[130, 120], [190, 120], [160, 100], [160, 140]];

let service;
let browser;
before(async () => {
  [service, browser] = await Promise.all([startService(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const exportMask = async (page) => decodePng((await downloaded(page, () => page.click("[data-do=export-mask]"))).bytes);
const save = (page) => downloaded(page, () => page.click("[data-do=save]"));
const union = (a, b) => a.map((value, i) => value | b[i]);
const isEnabled = (page, name) => page.locator(`button[data-do=${name}]`).first().isEnabled();

test("brush, remove, compare, undo, redo, remove more, save", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  assert.equal(await isEnabled(page, "remove"), false);
  assert.equal(await isEnabled(page, "save"), false);

  await drag(page, at, OVER_DISC);
  const first = await exportMask(page);
  assert.deepEqual([first.width, first.height], [WIDTH, HEIGHT]);
  assert.equal(first.pixels[120 * WIDTH + 160], 255);
  assert.equal(first.pixels[10 * WIDTH + 10], 0);
  await remove(page);
  assert.equal(await page.locator("#marked").textContent(), "Nothing is marked yet");

  await page.hover("#hold-before");
  await page.mouse.down();
  await page.waitForSelector("#badge-before:visible");
  await page.mouse.up();
  await page.waitForSelector("#badge-before", { state: "hidden" });
  await page.click("#toggle-slider");
  await page.waitForSelector("#divider:visible");
  await page.keyboard.press("End");
  assert.equal(await page.getAttribute("#divider", "aria-valuenow"), "100");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#divider", { state: "hidden" });

  await page.keyboard.press("Control+z");
  await page.waitForSelector("body:not([data-result])");
  assert.deepEqual((await exportMask(page)).pixels, first.pixels, "undo brings the marks back");
  await page.keyboard.press("Control+Shift+z");
  await page.waitForSelector("body[data-result]");

  const saved = await save(page);
  assert.equal(saved.name, "wall-cleaned.png");
  const result = decodePng(saved.bytes);
  const once = compare(PIXELS, result.pixels, first.pixels);
  assert.equal(once.changedOutside, 0);
  assert.ok(once.changedInside > first.pixels.filter(Boolean).length / 2, "the disc is gone");

  await chooseMethod(page, "patchmatch");
  await drag(page, at, [[40, 200], [80, 210]]);
  const second = await exportMask(page);
  await remove(page);
  const twice = decodePng((await save(page)).bytes);
  assert.equal(compare(result.pixels, twice.pixels, second.pixels).changedOutside, 0);
  assert.equal(compare(PIXELS, twice.pixels, union(first.pixels, second.pixels)).changedOutside, 0);
  await close();
});

test("eraser, lasso, box, clear and their undo", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  const marked = async () => (await exportMask(page)).pixels.filter(Boolean).length;

  await page.keyboard.press("r");
  await drag(page, at, [[100, 100], [140, 130]]);
  const box = await exportMask(page);
  const inBox = (i) => i % WIDTH >= 100 && i % WIDTH < 140 && i >= 100 * WIDTH && i < 130 * WIDTH;
  assert.deepEqual([...box.pixels], [...box.pixels].map((_, i) => (inBox(i) ? 255 : 0)));

  await page.keyboard.press("l");
  await drag(page, at, [[200, 50], [260, 50], [260, 90], [200, 90]]);
  assert.ok(Math.abs((await marked()) - 1200 - 2400) < 150);

  await page.keyboard.press("e");
  await drag(page, at, [[120, 115], [121, 115]]);
  const erased = await exportMask(page);
  assert.equal(erased.pixels[115 * WIDTH + 120], 0);

  await page.keyboard.press("Delete");
  assert.equal(await page.locator("#marked").textContent(), "Nothing is marked yet");
  for (let i = 0; i < 3; i++) await page.click("[data-do=undo]");
  assert.deepEqual((await exportMask(page)).pixels, box.pixels);
  assert.equal(await isEnabled(page, "undo"), true);
  await page.click("[data-do=undo]");
  assert.equal(await isEnabled(page, "undo"), false);
  await close();
});

test("a scribble on a thing marks the thing, and is undone in two steps", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  await page.keyboard.press("o");
  await drag(page, at, [[150, 120], [170, 122]]);
  const radius = HEIGHT / 8;
  const disc = (i) => Math.hypot((i % WIDTH) - WIDTH / 2, Math.floor(i / WIDTH) - HEIGHT / 2) < radius;
  await page.waitForFunction(() => Number.parseFloat(document.getElementById("marked").textContent) > 2);
  const { pixels } = await exportMask(page);
  const wrong = pixels.filter((value, i) => (value === 255) !== disc(i)).length;
  assert.ok(wrong < 0.06 * Math.PI * radius ** 2, `${wrong} pixels are wrong`);
  await page.keyboard.press("Control+z");
  const scribble = (await exportMask(page)).pixels.filter(Boolean).length;
  assert.ok(scribble > 0 && scribble < 1000);
  await page.keyboard.press("Control+z");
  assert.equal(await page.locator("#marked").textContent(), "Nothing is marked yet");
  await page.keyboard.press("Control+Shift+z");
  await page.keyboard.press("Control+Shift+z");
  await page.fill("#grow", "3");
  await remove(page);
  const result = decodePng((await save(page)).bytes).pixels;
  const red = pixels.filter((_, i) => disc(i) && result[3 * i] > 190 && result[3 * i + 1] < 60).length;
  assert.equal(red, 0, "nothing of the disc is left");
  await close();
});

test("a rim that cuts through a thing is pointed out, and all of the thing can be marked", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  const radius = HEIGHT / 8;
  const disc = (i) => Math.hypot((i % WIDTH) - WIDTH / 2, Math.floor(i / WIDTH) - HEIGHT / 2) < radius - 1;
  await page.keyboard.press("r");
  // The left half of the disc.
  await drag(page, at, [[160 - radius, 120 - radius], [160, 120 + radius]]);
  await page.waitForSelector("#hint:visible");
  await page.click("[data-do=extend]");
  await page.waitForSelector("#hint", { state: "hidden" });
  const { pixels } = await exportMask(page);
  const missing = pixels.filter((value, i) => disc(i) && !value).length;
  assert.ok(missing < 0.03 * Math.PI * radius ** 2, `${missing} pixels are missing`);

  await page.click("[data-do=clear]");
  await drag(page, at, [[150 - radius, 110 - radius], [170 + radius, 130 + radius]]);
  // Nothing tells when nothing has been found.
  await page.waitForTimeout(2500);
  assert.equal(await page.isVisible("#hint"), false, "all of it is marked");
  await close();
});

test("what is marked is enlarged by a share of the picture's size", async () => {
  const { page, close } = await openPage(browser, service.url);
  const large = [2000, 100];
  await page.setInputFiles("#file-input", { name: "a.png", mimeType: "image/png", buffer: encodePng(...large, wall(...large)) });
  await page.waitForFunction(() => document.getElementById("file-name")?.textContent === "a.png");
  assert.equal(await page.inputValue("#grow"), "4");
  assert.equal(await page.locator("#grow-value").textContent(), "4 px");
  await close();
});

test("a mask that was exported comes back as it was; one of another shape is refused", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  await drag(page, at, OVER_DISC);
  const file = await downloaded(page, () => page.click("[data-do=export-mask]"));
  assert.equal(file.name, "wall-mask.png");
  await page.click("[data-do=clear]");
  await page.setInputFiles("#mask-input", { name: "mask.png", mimeType: "image/png", buffer: file.bytes });
  await page.waitForSelector(".toast.good");
  assert.deepEqual((await exportMask(page)).pixels, decodePng(file.bytes).pixels);

  const square = encodePng(50, 50, Buffer.alloc(50 * 50 * 3, 255));
  await page.setInputFiles("#mask-input", { name: "mask.png", mimeType: "image/png", buffer: square });
  assert.match(await page.locator(".toast.bad").textContent(), /50 × 50.*320 × 240/);
  await close();
});

test("with the keyboard alone", async () => {
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  await page.waitForFunction(() => document.activeElement?.id === "stage");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => /\d+, \d+/.test(document.getElementById("live").textContent));
  await page.keyboard.down("Space");
  for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowLeft");
  await page.keyboard.up("Space");
  assert.match(await page.locator("#marked").textContent(), /% marked/);
  await page.keyboard.press("]");
  await page.keyboard.press("Enter");
  await page.waitForSelector("body[data-result][data-state=loaded]", { timeout: RUN_MS });
  assert.match(await page.locator("#live").textContent(), /filled/);
  const saved = await downloaded(page, () => page.keyboard.press("Control+s"));
  assert.equal(saved.name, "wall-cleaned.png");
  await close();
});

test("where the texture came from", async (context) => {
  if (!(await explains(service.url))) {
    context.skip("no method of this service explains what it does");
    return;
  }
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  await drag(page, at, OVER_DISC);
  await remove(page);
  await page.click("#toggle-explain");
  await page.waitForSelector("body[data-explain=all]", { timeout: RUN_MS });
  assert.match(await page.locator("#explain-position").textContent(), /^\d+ squares?$/);
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector("body[data-explain=one]");
  const sources = page.locator("#explain-sources .source");
  assert.ok((await sources.count()) >= 1);
  assert.match(await page.locator("#live").textContent(), /^Square 1 of \d+\. \d+ windows?; the best one lies/);
  const { x, y } = at(160, 120);
  await page.mouse.move(x, y);
  assert.match(await page.locator("#explain-position").textContent(), /^Square \d+ of \d+$/);
  await page.keyboard.press("Escape");
  await page.waitForSelector("body:not([data-explain])");
  await close();
});

test("what cannot be done is said, and does not stop the work", async () => {
  const { page, close } = await openPage(browser, service.url, DESK, { expectErrors: true });
  await page.setInputFiles("#file-input", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture") });
  assert.match(await page.locator(".toast.bad").textContent(), /not a picture/);
  await page.setInputFiles("#file-input", { name: "cut.png", mimeType: "image/png", buffer: PICTURE.subarray(0, 20) });
  await page.waitForFunction(() => document.querySelector(".toast.bad")?.textContent?.includes("damaged"));
  assert.equal(await page.getAttribute("body", "data-state"), "empty");

  await openPicture(page, "wall.png", PICTURE);
  await page.keyboard.press("r");
  const at = await placing(page, WIDTH, HEIGHT);
  await drag(page, at, [[-5, -5], [WIDTH + 5, HEIGHT + 5]]);
  await page.click("#remove");
  assert.match(await page.locator(".toast.bad").textContent(), /whole picture/);

  await close();
});

test("a service that does not answer is named, and may answer again", ofTheService, async () => {
  const { page, close } = await openPage(browser, service.url, DESK, { expectErrors: true });
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  await drag(page, at, [[100, 100], [140, 130]]);
  await page.route("**/v1/inpaint*", (route) => route.abort());
  await page.click("#remove");
  await page.waitForFunction(() => document.querySelector(".toast.bad")?.textContent?.includes("does not answer"));
  await page.unroute("**/v1/inpaint*");
  await remove(page);
  await close().catch((error) => assert.match(error.message, /ERR_FAILED/));
});

test("a full queue is waited for, and cancelling ends the wait", ofTheService, async () => {
  const { page, close } = await openPage(browser, service.url, DESK, { expectErrors: true });
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  await drag(page, at, OVER_DISC);
  let refusals = 0;
  const full = { type: "urn:tmad:problem:queue_full", title: "The queue is full", status: 429, detail: "", code: "queue_full" };
  await page.route("**/v1/inpaint*", (route) => {
    refusals++;
    return route.fulfill({
      status: 429,
      headers: { "Retry-After": refusals === 1 ? "1" : "30" },
      contentType: "application/problem+json",
      body: JSON.stringify(full),
    });
  });
  await page.click("#remove");
  await page.waitForFunction(() => document.getElementById("progress-stage").textContent.includes("30 s"));
  assert.equal(refusals, 2);
  await page.click("[data-do=cancel]");
  await page.waitForSelector("body[data-state=loaded]");
  assert.match(await page.locator("#live").textContent(), /Cancelled/);
  assert.match(await page.locator("#marked").textContent(), /marked/, "what was marked stays");
  await close();
});

test("cancelling reaches the service", ofTheService, async () => {
  const { page, close } = await openPage(browser, service.url, DESK, { expectErrors: true });
  const large = [1600, 1200];
  await openPicture(page, "large.png", encodePng(...large, wall(...large)));
  const at = await placing(page, ...large);
  await page.keyboard.press("r");
  await drag(page, at, [[300, 300], [1300, 900]]);
  const deletion = page.waitForResponse((response) => response.request().method() === "DELETE");
  await page.click("#remove");
  await page.waitForFunction(() => document.getElementById("progress-value").textContent !== "");
  await page.keyboard.press("Escape");
  assert.ok((await deletion).ok());
  await page.waitForSelector("body[data-state=loaded]:not([data-result])");
  await close();
});
