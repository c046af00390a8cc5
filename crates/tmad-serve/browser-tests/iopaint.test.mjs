// IOPaint's own page, taken from its wheel on PyPI, with this service behind it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, request as forward } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { DESK, ofTheService, RUN_MS, startBrowser, startService } from "./harness.mjs";
import { compare, decodePng, encodePng, wall } from "./pictures.mjs";

const WHEEL = "iopaint==1.6.0";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2" };
const [WIDTH, HEIGHT] = [320, 240];

/** The folder of IOPaint's page below `folder`; null where its wheel cannot be had. */
async function fetchPage(folder) {
  const python = (...args) => promisify(execFile)("python3", ["-m", ...args], { cwd: folder });
  try {
    await python("pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", WHEEL);
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    await python("zipfile", "-e", wheel, "wheel");
  } catch {
    return null;
  }
  return join(folder, "wheel", "iopaint", "web_app");
}

/** Serves the page, and hands on what it asks the API for; `filled` gets the answers with pictures. */
async function servePage(folder, service, filled) {
  const server = createServer(async (incoming, answer) => {
    const path = new URL(incoming.url, service).pathname;
    if (path.startsWith("/api/")) {
      const { method, headers, url } = incoming;
      const outgoing = forward(new URL(url, service), { method, headers }, (reply) => {
        answer.writeHead(reply.statusCode, reply.headers);
        reply.pipe(answer);
        const parts = [];
        reply.on("data", (part) => parts.push(part));
        reply.on("end", () => path === "/api/v1/inpaint" && filled.push(Buffer.concat(parts)));
      });
      incoming.pipe(outgoing);
      return;
    }
    const file = join(folder, normalize(path === "/" ? "/index.html" : path));
    const content = await readFile(file).catch(() => null);
    answer.writeHead(content ? 200 : 404, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
    answer.end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

test("IOPaint's page removes something", ofTheService, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "iopaint-"));
  context.after(() => rm(folder, { recursive: true }));
  const web = await fetchPage(folder);
  if (!web) {
    context.skip("IOPaint's wheel cannot be had here");
    return;
  }
  const service = await startService();
  context.after(service.stop);
  const filled = [];
  const served = await servePage(web, service.url, filled);
  context.after(served.stop);
  const browser = await startBrowser();
  context.after(() => browser.close());
  const page = await browser.newPage(DESK);
  await page.goto(served.url);

  const pixels = wall(WIDTH, HEIGHT);
  const file = { name: "wall.png", mimeType: "image/png", buffer: encodePng(WIDTH, HEIGHT, pixels) };
  await page.locator("input[type=file]").first().setInputFiles(file);
  const canvas = page.locator("canvas").last();
  await canvas.waitFor();
  // The page scales the picture to the window some time after it has drawn it.
  let box = await canvas.boundingBox();
  for (let before = null; JSON.stringify(box) !== JSON.stringify(before); box = await canvas.boundingBox()) {
    before = box;
    await page.waitForTimeout(1500);
  }
  const at = (x, y) => [box.x + (x * box.width) / WIDTH, box.y + (y * box.height) / HEIGHT];
  const answered = page.waitForResponse((reply) => reply.url().endsWith("/api/v1/inpaint"), { timeout: RUN_MS });
  await page.mouse.move(...at(130, 120));
  await page.mouse.down();
  await page.mouse.move(...at(190, 120), { steps: 8 });
  await page.mouse.up();
  const reply = await answered;
  assert.equal(reply.status(), 200);
  assert.equal(reply.headers()["x-tmad-method"], (await (await fetch(`${service.url}api/v1/model`)).json()).name);

  const sent = JSON.parse(reply.request().postData());
  const mask = decodePng(Buffer.from(sent.mask.split(",")[1], "base64"));
  await reply.finished();
  const result = decodePng(filled[0]);
  assert.deepEqual([mask.width, mask.height, result.width, result.height], [WIDTH, HEIGHT, WIDTH, HEIGHT]);
  // Strokes on a transparent ground.
  const hole = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => mask.pixels[i * 4 + 3]);
  const marked = hole.filter(Boolean).length;
  assert.ok(marked > 500, `${marked} pixels are marked`);
  const { changedOutside, changedInside } = compare(pixels, result.pixels, hole);
  assert.equal(changedOutside, 0);
  assert.ok(changedInside > 500, `${changedInside} pixels have changed`);
  assert.equal(await page.getByText("screenshot of the detailed error").count(), 0);
});
