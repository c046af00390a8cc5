// The page on a phone: fingers draw, two of them zoom, and everything fits.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { downloaded, openPage, openPicture, PHONE, placing, remove, startBrowser, startService } from "./harness.mjs";
import { compare, decodePng, encodePng, wall } from "./pictures.mjs";

const [WIDTH, HEIGHT] = [320, 240];
const PIXELS = wall(WIDTH, HEIGHT);

let service;
let browser;
before(async () => {
  [service, browser] = await Promise.all([startService(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** Fingers that move from one place to the next; a step is a list of places, one per finger. */
async function fingers(page, steps) {
  const session = await page.context().newCDPSession(page);
  const points = (places) => places.map(({ x, y }, id) => ({ x, y, id }));
  const send = (type, places) => session.send("Input.dispatchTouchEvent", { type, touchPoints: points(places) });
  await send("touchStart", steps[0]);
  for (const places of steps.slice(1)) await send("touchMove", places);
  await send("touchEnd", []);
  await session.detach();
}

test("a finger marks, two zoom, and the result is saved", async () => {
  const { page, close } = await openPage(browser, service.url, PHONE);
  await openPicture(page, "wall.png", encodePng(WIDTH, HEIGHT, PIXELS));
  const at = await placing(page, WIDTH, HEIGHT);
  const zoom = () => page.locator("#zoom-value").textContent().then(Number.parseFloat);

  const fitted = await zoom();
  const middle = at(160, 120);
  const pair = (gap) => [{ x: middle.x - gap, y: middle.y }, { x: middle.x + gap, y: middle.y }];
  await fingers(page, [pair(30), pair(45), pair(60), pair(90)]);
  assert.ok((await zoom()) > fitted * 2, `${await zoom()} % after ${fitted} %`);
  assert.equal(await page.locator("button[data-do=remove]").isEnabled(), false, "zooming marks nothing");
  await page.evaluate(() => document.querySelector("[data-do=fit]").click());
  assert.equal(await zoom(), fitted);

  await fingers(page, [[130, 120], [150, 120], [170, 115], [190, 125]].map(([x, y]) => [at(x, y)]));
  await page.click("#toggle-sheet");
  const mask = decodePng((await downloaded(page, () => page.click("[data-do=export-mask]"))).bytes);
  assert.equal(mask.pixels[120 * WIDTH + 150], 255);
  await remove(page);
  const saved = await downloaded(page, () => page.click("[data-do=save]"));
  const result = compare(PIXELS, decodePng(saved.bytes).pixels, mask.pixels);
  assert.equal(result.changedOutside, 0);
  assert.ok(result.changedInside > 0);
  await close();
});

test("everything fits, and what is touched is large enough", async () => {
  for (const locale of ["en-GB", "de-DE"]) {
    const { page, close } = await openPage(browser, service.url, { ...PHONE, locale });
    await openPicture(page, "a-rather-long-name-of-a-picture.png", encodePng(WIDTH, HEIGHT, PIXELS));
    for (const sheet of [false, true]) {
      if (sheet) await page.click("#toggle-sheet");
      const { wider, small } = await page.evaluate(() => {
        const shown = [...document.querySelectorAll("button")].filter((button) => button.offsetParent);
        return {
          wider: document.documentElement.scrollWidth - innerWidth,
          small: shown
            .map((button) => ({ name: button.textContent.trim() || button.ariaLabel, box: button.getBoundingClientRect() }))
            .filter(({ box }) => box.width < 34 || box.height < 34 || box.right > innerWidth + 1 || box.left < -1)
            .map(({ name }) => name),
        };
      });
      assert.ok(wider <= 0, `${wider} px too wide`);
      assert.deepEqual(small, []);
    }
    await close();
  }
});
