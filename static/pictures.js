/** Pictures in the browser: made small before the upload, saved, copied. */

//: The model sees 128 pixels; four times that keeps its own, better, downscaling in charge.
const UPLOAD_SIDE = 512;
const SMALL_ENOUGH_BYTES = 200_000;
const WHITE = 232; // a decoder's bars are nearly white
const MOST_BAR = 0.375; // of the height, above and below each

/**
 * A picture file made small enough to upload, upright and without metadata.
 * What the browser cannot read goes up as it is: the server reads more formats, and says so when it does not.
 * @param {Blob} file
 * @returns {Promise<Blob>}
 */
export async function shrink(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (!bitmap) return file;
  const scale = UPLOAD_SIDE / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1 && file.size <= SMALL_ENOUGH_BYTES) return file;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * Math.min(1, scale)));
  canvas.height = Math.max(1, Math.round(bitmap.height * Math.min(1, scale)));
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.fillStyle = "#fff"; // under transparent parts, as the server does
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob((blob) => resolve(blob ?? file), "image/jpeg", 0.95); });
}

/** The first picture among the files of a drop, a paste or an input. @param {{files: FileList | null} | null | undefined} transfer */
export function firstPicture(transfer) {
  const files = Array.from(transfer?.files ?? []);
  return files.find((file) => file.type.startsWith("image/")) ?? files[0];
}

/** A picture from an answer as PNG, which every program opens and every clipboard takes. @param {string} url */
export async function toPng(url) {
  return pngOf(await draw(url));
}

/** One of the model's cars as a photograph would be: without the white bars above and below. @param {string} url */
export async function withoutBars(url) {
  const pen = await draw(url);
  const { width, height } = pen.canvas;
  /** @param {number} y */
  const isBar = (y) => pen.getImageData(0, y, width, 1).data.every((value) => value >= WHITE);
  const most = Math.floor(MOST_BAR * height);
  let [top, bottom] = [0, height];
  while (top < most && isBar(top)) top += 1;
  while (height - bottom < most && isBar(bottom - 1)) bottom -= 1;
  const picture = pen.getImageData(0, top, width, bottom - top);
  pen.canvas.height = bottom - top;
  pen.putImageData(picture, 0, 0);
  return pngOf(pen);
}

/** @param {string} url */
async function draw(url) {
  const bitmap = await createImageBitmap(dataUrlToBlob(url));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  pen.drawImage(bitmap, 0, 0);
  return pen;
}

/** @type {(pen: CanvasRenderingContext2D) => Promise<Blob>} */
const pngOf = (pen) => new Promise((resolve, reject) => {
  pen.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no room for the picture"))), "image/png");
});

/** @param {string} url */
function dataUrlToBlob(url) {
  const [head, body] = url.split(",");
  const type = /^data:([^;,]+)/.exec(head)?.[1];
  return new Blob([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], { type });
}

/** @param {Blob} blob @param {string} name  without its ending */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.${blob.type.split("/")[1]}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // Safari reads it late
}

export const canCopy = () => "ClipboardItem" in window && "clipboard" in navigator;

/** Copy text; where the page is on plain HTTP, browsers have no clipboard. @param {string} text */
export const copyText = async (text) => navigator.clipboard.writeText(text);

/** Copy a picture from an answer. The clipboard takes a promise, as Safari wants no wait between click and writing. @param {string} url */
export function copy(url) {
  return navigator.clipboard.write([new ClipboardItem({ "image/png": toPng(url) })]);
}
