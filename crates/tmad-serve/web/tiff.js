/** The size of a TIFF picture, which browsers do not read: the service turns it into a PNG to show. */

const [WIDTH, HEIGHT, ORIENTATION] = [256, 257, 274];
const SHORT = 3;
/** From this orientation on the picture lies on its side. */
const FIRST_SIDEWAYS = 5;

/**
 * @param {Blob} file
 * @returns {Promise<{width: number, height: number} | null>} As the picture is shown, or null where
 *   the file is damaged. Source: TIFF 6.0, section 2.
 */
export async function tiffSize(file) {
  const head = new DataView(await file.slice(0, 8).arrayBuffer());
  if (head.byteLength < 8) return null;
  const little = head.getUint8(0) === 0x49;
  const directory = head.getUint32(4, little);
  const entries = new DataView(await file.slice(directory, directory + 2 + 12 * 512).arrayBuffer());
  if (entries.byteLength < 2) return null;
  /** @type {Record<number, number>} */
  const values = {};
  for (let i = 0; i < entries.getUint16(0, little); i++) {
    const at = 2 + i * 12;
    if (at + 12 > entries.byteLength) break;
    const isShort = entries.getUint16(at + 2, little) === SHORT;
    const value = isShort ? entries.getUint16(at + 8, little) : entries.getUint32(at + 8, little);
    values[entries.getUint16(at, little)] = value;
  }
  const { [WIDTH]: width, [HEIGHT]: height } = values;
  if (!width || !height) return null;
  const sideways = (values[ORIENTATION] ?? 1) >= FIRST_SIDEWAYS;
  return sideways ? { width: height, height: width } : { width, height };
}
