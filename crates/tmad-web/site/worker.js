/** Runs the pipeline beside the page: one task after the other, as `backend.js` sends them. */

import init, { Engine } from "./tmad_web.js";

/** @type {Engine | undefined} */
let engine;

/** @param {number} fraction @param {string} stage */
globalThis.tmadProgress = (fraction, stage) => postMessage({ progress: { state: "running", fraction, stage } });

/** @param {WebAssembly.Module | null} compiled By an earlier worker, so that nothing is fetched again. */
async function start(compiled) {
  const module = compiled ?? (await compile(new URL("tmad_web_bg.wasm", import.meta.url)));
  const { memory } = await init({ module_or_path: module });
  engine = new Engine();
  return { answer: { module, models: engine.models() }, memory };
}

/** @param {URL} url */
async function compile(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  // Some hosts do not know the type of such files, without which streaming is refused.
  const isTyped = response.headers.get("Content-Type") === "application/wasm";
  return isTyped ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

/** @type {Record<string, (engine: Engine, task: any) => [unknown, Transferable[]]>} */
const tasks = {
  inpaint(engine, { image, mask, options }) {
    const picture = engine.inpaint(image, mask, options);
    const { content_type: type, warning } = picture;
    const bytes = picture.into_bytes();
    return [{ bytes, type, warning }, [bytes.buffer]];
  },
  select(engine, { image, mask, bounds }) {
    const bytes = engine.select(image, mask, new Uint32Array(bounds));
    return [bytes, [bytes.buffer]];
  },
  explain(engine, { image, mask, options }) {
    return [JSON.parse(engine.explain(image, mask, options)), []];
  },
};

let size = () => 0;

onmessage = async ({ data: { kind, ...task } }) => {
  try {
    if (kind === "start") {
      const { answer, memory } = await start(task.module);
      size = () => memory.buffer.byteLength;
      postMessage({ answer, bytes: size() });
    } else if (engine) {
      const [answer, transfer] = tasks[kind](engine, task);
      postMessage({ answer, bytes: size() }, { transfer });
    }
  } catch (error) {
    // The pipeline's refusals are texts; whatever else is thrown has broken it.
    const isRefusal = typeof error === "string";
    postMessage({ problem: isRefusal ? error : String(error), broken: !isRefusal });
  }
};
