/** Picture files: what they are, and what the saved one is called. */

/**
 * `sent`: the service reads it; what it does not read is turned into PNG here.
 * @typedef {{name: string, mime: string, extensions: string[], sent: boolean, starts: (bytes: Uint8Array) => boolean}} Format
 */

/** @param {Uint8Array} bytes @param {number} at @param {string} text */
function has(bytes, at, text) {
  return [...text].every((letter, index) => bytes[at + index] === letter.charCodeAt(0));
}

/** @type {Format[]} */
const FORMATS = [
  { name: "JPEG", mime: "image/jpeg", extensions: ["jpg", "jpeg", "jpe", "jfif"], sent: true, starts: (b) => has(b, 0, "\xff\xd8\xff") },
  { name: "PNG", mime: "image/png", extensions: ["png"], sent: true, starts: (b) => has(b, 0, "\x89PNG") },
  { name: "WebP", mime: "image/webp", extensions: ["webp"], sent: true, starts: (b) => has(b, 0, "RIFF") && has(b, 8, "WEBP") },
  { name: "TIFF", mime: "image/tiff", extensions: ["tif", "tiff"], sent: true, starts: (b) => has(b, 0, "II*\0") || has(b, 0, "MM\0*") },
  { name: "BMP", mime: "image/bmp", extensions: ["bmp", "dib"], sent: true, starts: (b) => has(b, 0, "BM") },
  { name: "AVIF", mime: "image/avif", extensions: ["avif"], sent: false, starts: (b) => has(b, 4, "ftypavif") },
  { name: "HEIC", mime: "image/heic", extensions: ["heic", "heif"], sent: false, starts: (b) => has(b, 4, "ftyphei") || has(b, 4, "ftypmif1") },
  { name: "GIF", mime: "image/gif", extensions: ["gif"], sent: false, starts: (b) => has(b, 0, "GIF8") },
];

/**
 * @param {Blob} file
 * @returns {Promise<Format | null>} By what is in the file; its name may be wrong.
 */
export async function formatOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  return FORMATS.find((format) => format.starts(bytes)) ?? null;
}

/**
 * The name of a result: the picture's own with a word added, and the ending that fits the file.
 * @param {string} name
 * @param {string} word
 * @param {string} mime
 */
export function resultName(name, word, mime) {
  const dot = name.lastIndexOf(".");
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const ending = dot > 0 ? name.slice(dot + 1) : "";
  const format = FORMATS.find((candidate) => candidate.mime === mime.split(";")[0].trim());
  const fits = !format || format.extensions.includes(ending.toLowerCase());
  return `${stem}-${word}.${fits && ending ? ending : (format?.extensions[0] ?? "png")}`;
}

/**
 * @param {Blob} file
 * @param {string} name
 */
export function download(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser has to have started reading before the address goes.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {DataTransfer | null} data @returns {File | null} The first picture that is dropped or pasted. */
export function pictureIn(data) {
  const files = [...(data?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}
