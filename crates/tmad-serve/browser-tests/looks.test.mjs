// Accessibility in every state, both colour schemes and both languages; texts that fit.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import {
  DESK, drag, explains, openPage, openPicture, PHONE, placing, remove, RUN_MS, startBrowser, startService, violations,
} from "./harness.mjs";
import { encodePng, wall } from "./pictures.mjs";

const [WIDTH, HEIGHT] = [320, 240];
const PICTURE = encodePng(WIDTH, HEIGHT, wall(WIDTH, HEIGHT));
/** The page, and what takes the service's place in the site. */
const FOLDERS = [new URL("../web/", import.meta.url), new URL("../../tmad-web/site/", import.meta.url)];

let service;
let browser;
before(async () => {
  [service, browser] = await Promise.all([startService(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** Texts that are cut off or stick out of their buttons. */
const cutTexts = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("button, h2, label, .marked, .badge")]
      .filter((element) => element.offsetParent && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1)
      .map((element) => element.textContent.trim()),
  );

for (const [name, options] of [
  ["light", { ...DESK, colorScheme: "light" }],
  ["dark", { ...DESK, colorScheme: "dark" }],
  ["German, phone, dark", { ...PHONE, colorScheme: "dark", locale: "de-DE" }],
  ["German, small window", { viewport: { width: 900, height: 640 }, locale: "de-DE" }],
]) {
  test(`accessible, and nothing is cut: ${name}`, async () => {
    const { page, close } = await openPage(browser, service.url, { ...options, reducedMotion: "reduce" });
    const check = async (state) => {
      assert.deepEqual(await violations(page), [], state);
      assert.deepEqual(await cutTexts(page), [], state);
    };
    await check("empty");
    await openPicture(page, "wall.png", PICTURE);
    const at = await placing(page, WIDTH, HEIGHT);
    await drag(page, at, [[130, 120], [190, 120]]);
    if (options.isMobile) {
      await page.click("#toggle-sheet");
      await check("settings");
      await page.click("#toggle-sheet");
    }
    await page.evaluate(() => (document.querySelector("details.more").open = true));
    await check("marked");
    await remove(page);
    await page.click("#toggle-slider");
    await check("slider");
    await page.click("#toggle-slider");
    if (await explains(service.url)) {
      await page.click("#toggle-explain");
      await page.waitForSelector("body[data-explain]", { timeout: RUN_MS });
      await page.click("[data-do=next-patch]");
      await check("explained");
      await page.keyboard.press("Escape");
    }
    await page.keyboard.press("?");
    await page.waitForSelector("#help-dialog[open]");
    await check("help");
    await close();
  });
}

test("the theme is switched and kept", async () => {
  const { page, close } = await openPage(browser, service.url, { ...DESK, colorScheme: "light" });
  const paper = () => page.evaluate(() => getComputedStyle(document.querySelector(".bar")).backgroundColor);
  const light = await paper();
  await page.click(".bar [data-do=theme]");
  const dark = await paper();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await paper(), dark);
  await close();
});

test("every text has a German translation, and no translation is left over", async () => {
  const keys = new Set();
  const listed = await Promise.all(FOLDERS.map(async (folder) => (await readdir(folder)).map((name) => new URL(name, folder))));
  for (const file of listed.flat().map(String)) {
    const source = await readFile(new URL(file), "utf8");
    if (file.endsWith(".js") && !file.endsWith("/de.js")) {
      for (const [, key] of source.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"/g)) keys.add(key);
      for (const [, yes, no] of source.matchAll(/\bt\([^"()]*\? "([^"]*)" : "([^"]*)"/g)) keys.add(yes).add(no);
    } else if (file.endsWith(".html")) {
      for (const [, key] of source.matchAll(/\sdata-t(?:\s[^>]*)?>([^<]*)</g)) keys.add(key.replace(/\s+/g, " ").trim());
      for (const [, key] of source.matchAll(/\s(?:aria-label|title|placeholder)="([^"]*)"/g)) keys.add(key);
    }
  }
  const { german } = await import(new URL("de.js", FOLDERS[0]));
  assert.ok(keys.size > 100);
  assert.deepEqual([...keys].sort(), Object.keys(german).sort());
});
