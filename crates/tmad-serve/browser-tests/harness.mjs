// Starts the service and the browser, and lets no test pass that logged an error or asked another
// host for anything. With SITE=DIR the page is the one of tools/site in that folder, which a bare
// static file server serves.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const START_MS = 60_000;
const SITE = process.env.SITE;
/** For tests of what only a service has. */
export const ofTheService = { skip: SITE && "the site has no service" };
/** For tests of what only the site can do. */
export const ofTheSite = { skip: !SITE && "SITE names no site" };
/** A run of the networks in an unoptimised build on a busy machine. */
export const RUN_MS = 180_000;

/** The one that is named in TMAD, or the one that was built last. */
function binary() {
  const root = new URL("../../../target/", import.meta.url);
  const built = ["release/tmad", "debug/tmad"]
    .map((path) => fileURLToPath(new URL(path, root)))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  const found = process.env.TMAD ?? built[0];
  assert.ok(found, "no tmad: build it with `cargo build --release -p tmad-cli`, or name one in TMAD");
  return found;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs `tmad` once. */
export async function runTmad(...args) {
  await promisify(execFile)(binary(), args);
}

/**
 * Runs `tmad serve` with further arguments until `stop` is called; or with SITE Python's file
 * server, whose `log` has a line per request.
 */
export async function startService(...args) {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const [program, all, probe] = SITE
    ? ["python3", ["-m", "http.server", "--bind", "127.0.0.1", "--directory", SITE, `${port}`], ""]
    : [binary(), ["serve", "--addr", address, ...args], "ready"];
  const child = spawn(program, all, { stdio: ["ignore", "inherit", "pipe"] });
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const url = `http://${address}/`;
  const deadline = Date.now() + START_MS;
  while (!(await fetch(url + probe).then((answer) => answer.ok, () => false))) {
    assert.equal(child.exitCode, null, `${program} ended:\n${log}`);
    assert.ok(Date.now() < deadline, `${program} did not get ready:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { url, stop, log: () => log };
}

/** Whether the method that is chosen at first can say where its texture came from. */
export async function explains(url) {
  if (SITE) return true;
  const { models } = await (await fetch(`${url}v1/models`)).json();
  return models.find((model) => model.default).supports.includes("explain");
}

export function startBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

export const DESK = { viewport: { width: 1440, height: 900 } };
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

/**
 * Opens the page for one test. `expectErrors`: answers with an error status are part of the test.
 */
export async function openPage(browser, url, options = DESK, { expectErrors = false, path = "" } = {}) {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.stack));
  page.on("console", (message) => {
    const isStatus = message.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(message.type()) && !(expectErrors && isStatus)) problems.push(message.text());
  });
  page.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith(url) && !/^(blob|data):/.test(address)) problems.push(`another host: ${address}`);
  });
  await page.goto(url + path);
  await page.waitForSelector(".method, dialog[open]", { state: "attached", timeout: START_MS });
  return {
    page,
    close: async () => {
      await context.close();
      assert.deepEqual(problems, []);
    },
  };
}

/** Opens a picture, as from the file dialog; what is marked is not enlarged, so that it can be compared. */
export async function openPicture(page, name, buffer, mimeType = "image/png") {
  await page.setInputFiles("#file-input", { name, mimeType, buffer });
  await page.waitForFunction((text) => document.getElementById("file-name")?.textContent === text, name);
  await page.evaluate(() => {
    const slider = document.getElementById("grow");
    slider.value = "0";
    slider.dispatchEvent(new Event("input"));
  });
}

/** Where pixels of the open picture lie on the screen while the whole of it is shown. */
export async function placing(page, width, height) {
  const box = await page.locator("#stage").boundingBox();
  const narrow = box.width < 600;
  const [margin, bottom] = narrow ? [10, 62] : [28, 74];
  const room = { width: box.width - 2 * margin, height: box.height - margin - bottom };
  const fitting = Math.min(room.width / width, room.height / height);
  const scale = fitting <= 1 ? fitting : Math.min(fitting, 8);
  return (x, y) => ({
    x: box.x + margin + (room.width - width * scale) / 2 + x * scale,
    y: box.y + margin + (room.height - height * scale) / 2 + y * scale,
  });
}

/** Drags the mouse over pixels of the picture. */
export async function drag(page, at, points) {
  const [first, ...rest] = points.map(([x, y]) => at(x, y));
  await page.mouse.move(first.x, first.y);
  await page.mouse.down();
  for (const { x, y } of rest) await page.mouse.move(x, y, { steps: 5 });
  await page.mouse.up();
}

/** What a click on something downloads. */
export async function downloaded(page, click) {
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/** Presses Remove and waits for the result. */
export async function remove(page) {
  await page.click("#remove");
  await page.waitForSelector("body[data-state=loaded][data-result] #remove:disabled", { state: "attached", timeout: RUN_MS });
  const complaint = page.locator(".toast.bad");
  assert.equal(await complaint.count(), 0, (await complaint.allTextContents()).join("; "));
}

export async function chooseMethod(page, name) {
  await page.evaluate((value) => document.querySelector(`input[name=method][value=${value}]`).click(), name);
}

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong with the page as it is. */
export async function violations(page) {
  // As a script of the page it would break the page's own rules.
  await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  return found.violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 160)}`));
}
