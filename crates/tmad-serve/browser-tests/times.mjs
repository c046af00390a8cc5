// How long removals take in the browser and in the program with one thread:
// `SITE=../../../site node times.mjs`, with `tmad` built for release. From the press of Remove to
// the result, files read and written; the program's start counts, too. Medians of three, and the
// most memory that the worker had.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DESK, openPage, openPicture, remove, runTmad, startBrowser, startService } from "./harness.mjs";
import { encodePng, wall } from "./pictures.mjs";

const CASES = [
  ["256 × 256, hole 64 × 64", 256, 256, 64],
  ["1 MP, hole 1 %", 1024, 1024, 102],
  ["12 MP, hole 1 %", 4000, 3000, 346],
];
const ROUNDS = 3;

/** Notes in the page how much memory workers say they have. */
function watchMemory() {
  globalThis.mostBytes = 0;
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => (globalThis.mostBytes = Math.max(globalThis.mostBytes, data.bytes ?? 0)));
    }
  };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

async function timed(work) {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** A mask with a square in the middle. */
function square(width, height, side) {
  const pixels = Buffer.alloc(width * height * 3);
  const [left, top] = [(width - side) >> 1, (height - side) >> 1];
  for (let y = top; y < top + side; y++) pixels.fill(255, (y * width + left) * 3, (y * width + left + side) * 3);
  return encodePng(width, height, pixels);
}

const folder = await mkdtemp(join(tmpdir(), "times-"));
const [service, browser] = await Promise.all([startService(), startBrowser()]);
console.log("| picture | browser | program, one thread | times | memory |\n|---|---:|---:|---:|---:|");
for (const [label, width, height, side] of CASES) {
  const picture = encodePng(width, height, wall(width, height));
  const mask = square(width, height, side);
  const [pictureFile, maskFile, out] = ["picture.png", "mask.png", "out.png"].map((name) => join(folder, name));
  await writeFile(pictureFile, picture);
  await writeFile(maskFile, mask);
  const { page, close } = await openPage(browser, service.url, DESK);
  await page.addInitScript(watchMemory);
  await page.reload();
  await page.waitForSelector(".method", { state: "attached" });
  const [here, there] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    await openPicture(page, `picture-${round}.png`, picture);
    await page.setInputFiles("#mask-input", { name: "mask.png", mimeType: "image/png", buffer: mask });
    await page.waitForSelector(".toast.good");
    here.push(await timed(() => remove(page)));
    await page.evaluate(() => document.querySelector("[data-do=save]").click());
    there.push(await timed(() => runTmad("inpaint", pictureFile, "--mask", maskFile, "--threads", "1", "-o", out)));
  }
  const megabytes = (await page.evaluate(() => globalThis.mostBytes)) / 1e6;
  await close();
  const [browserTime, programTime] = [median(here), median(there)];
  console.log(`| ${label} | ${browserTime.toFixed(2)} s | ${programTime.toFixed(2)} s | ${(browserTime / programTime).toFixed(1)} | ${megabytes.toFixed(0)} MB |`);
}
await browser.close();
await service.stop();
await rm(folder, { recursive: true });
