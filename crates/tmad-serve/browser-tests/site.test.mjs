// What the site does that needs no server: nothing is asked for after loading, it works offline,
// and its results are the program's.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  chooseMethod, DESK, downloaded, drag, ofTheSite, openPage, openPicture, placing, remove, runTmad, startBrowser,
  startService,
} from "./harness.mjs";
import { compare, decodePng, encodePng, wall } from "./pictures.mjs";

const [WIDTH, HEIGHT] = [320, 240];
const PIXELS = wall(WIDTH, HEIGHT);
const PICTURE = encodePng(WIDTH, HEIGHT, PIXELS);
const OVER_DISC = [[130, 120], [190, 120], [160, 100], [160, 140]];

let service;
let browser;
before(async () => {
  if (ofTheSite.skip) return;
  [service, browser] = await Promise.all([startService(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const exportMask = async (page) => (await downloaded(page, () => page.click("[data-do=export-mask]"))).bytes;
const save = async (page) => (await downloaded(page, () => page.click("[data-do=save]"))).bytes;

/** Waits until the page has been stored and every request goes through its service worker. */
async function stored(page) {
  await page.waitForFunction(async () => {
    await navigator.serviceWorker.ready;
    return Boolean(navigator.serviceWorker.controller);
  });
}

test("after loading nothing is asked for, and it works without the host", ofTheSite, async () => {
  const host = await startService();
  const { page, close } = await openPage(browser, host.url);
  await stored(page);
  const loaded = host.log();
  assert.match(loaded, /tmad_web_bg\.wasm/);
  await openPicture(page, "wall.png", PICTURE);
  const at = await placing(page, WIDTH, HEIGHT);
  await drag(page, at, OVER_DISC);
  await remove(page);
  await page.click("#toggle-explain");
  await page.waitForSelector("body[data-explain]", { timeout: 60_000 });
  await page.keyboard.press("Escape");
  assert.equal(host.log(), loaded, "the host is asked for nothing more");

  await host.stop();
  await page.reload();
  await page.waitForSelector(".method", { state: "attached" });
  await openPicture(page, "wall.png", PICTURE);
  await drag(page, await placing(page, WIDTH, HEIGHT), OVER_DISC);
  const mask = decodePng(await exportMask(page));
  await remove(page);
  const { changedOutside, changedInside } = compare(PIXELS, decodePng(await save(page)).pixels, mask.pixels);
  assert.equal(changedOutside, 0);
  assert.ok(changedInside > 500);
  await close();
});

test("cancelling ends the work at once, and the next one is done", ofTheSite, async () => {
  const { page, close } = await openPage(browser, service.url);
  const large = [1600, 1200];
  await openPicture(page, "large.png", encodePng(...large, wall(...large)));
  const at = await placing(page, ...large);
  await page.keyboard.press("r");
  await drag(page, at, [[300, 300], [1300, 900]]);
  await page.click("#remove");
  await page.waitForFunction(() => document.getElementById("progress-value").textContent !== "");
  const start = Date.now();
  await page.keyboard.press("Escape");
  await page.waitForSelector("body[data-state=loaded]:not([data-result])");
  assert.ok(Date.now() - start < 3000);
  await page.click("[data-do=clear]");
  await drag(page, at, [[790, 590], [810, 610]]);
  await remove(page);
  await close();
});

test("results are the program's", ofTheSite, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "site-"));
  context.after(() => rm(folder, { recursive: true }));
  const { page, close } = await openPage(browser, service.url);
  await openPicture(page, "wall.png", PICTURE);
  await drag(page, await placing(page, WIDTH, HEIGHT), OVER_DISC);
  const mask = await exportMask(page);
  const [picture, maskFile, out] = ["wall.png", "mask.png", "out.png"].map((name) => join(folder, name));
  await writeFile(picture, PICTURE);
  await writeFile(maskFile, mask);
  const hole = decodePng(mask).pixels;
  for (const method of ["patchmatch", "coarse", "tmad"]) {
    await chooseMethod(page, method);
    await remove(page);
    const here = decodePng(await save(page)).pixels;
    await page.click("[data-do=undo]");
    await runTmad("inpaint", picture, "--mask", maskFile, "--method", method, "-o", out);
    const there = decodePng(await readFile(out)).pixels;
    const differences = [];
    for (let i = 0; i < here.length; i++) if (hole[(i / 3) | 0]) differences.push(Math.abs(here[i] - there[i]));
    const share = differences.filter((difference) => difference > 1).length / differences.length;
    console.log(`${method}: at most ${Math.max(...differences)} levels, ${(share * 100).toFixed(2)} % by more than one`);
    assert.equal(compare(here, there, hole).changedOutside, 0);
    // PatchMatch counts in whole numbers. Networks sum in another order with other vectors.
    if (method === "patchmatch") assert.equal(Math.max(...differences), 0);
    else assert.ok(share < 0.01, `${method}: ${share}`);
  }
  await close();
});
