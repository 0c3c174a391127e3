/** Pictures in the browser: made small before the upload, saved, copied. */

//: The model sees 256 pixels; twice that keeps its own, better, downscaling in charge.
const UPLOAD_SIDE = 512;
const SMALL_ENOUGH_BYTES = 200_000;
const DOWNLOAD_SIDE = 512; // 128 pixels are too small in a chat
const CARD = { width: 1200, height: 630, margin: 40, foot: 90 }; // the shape of a link's preview
const COLUMNS = 32; // enough to recognise a white bar
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
  const [width, height] = [bitmap.width, bitmap.height].map((each) => Math.max(1, Math.round(each * Math.min(1, scale))));
  const pen = penOf(width, height);
  const { canvas } = pen;
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

/**
 * A picture from an answer as PNG, which every program opens and every clipboard takes: without the white bars above and
 * below, and enlarged to `side` pixels where it is smaller.
 * @param {string} url
 * @param {number} [side]
 */
export async function toPng(url, side = DOWNLOAD_SIDE) {
  const { canvas } = await draw(url);
  const [top, bottom] = filledRows(canvas);
  const scale = Math.max(1, side / Math.max(canvas.width, bottom - top));
  const pen = penOf(Math.round(canvas.width * scale), Math.round((bottom - top) * scale));
  pen.imageSmoothingQuality = "high"; // a cubic filter, where a page's own scaling of pictures is linear
  pen.drawImage(canvas, 0, top, canvas.width, bottom - top, 0, 0, pen.canvas.width, pen.canvas.height);
  return pngOf(pen);
}

/** One of the model's cars as a photograph would be: without the white bars, at its own size. @param {string} url */
export const withoutBars = (url) => toPng(url, 0);

/**
 * Let a square picture fill its window so far that only its white bars are cut: `--filled`, for style.css, is the share
 * of its height between them. Pictures that belong together share one scale.
 * @param {HTMLImageElement} image
 */
export function measureBars(image) {
  const group = /** @type {HTMLElement | null} */ (image.closest("[data-fit=together]"));
  if (image.naturalWidth !== image.naturalHeight) return void image.style.removeProperty("--filled");
  const others = group ? Number(group.style.getPropertyValue("--filled")) : 0;
  return void (group ?? image).style.setProperty("--filled", String(Math.max(filled(image), others)));
}

/** The share of a square picture's height that its white bars leave. @param {HTMLImageElement} image */
export function filled(image) {
  const height = image.naturalHeight;
  const pen = penOf(Math.min(height, COLUMNS), height);
  pen.drawImage(image, 0, 0, pen.canvas.width, height);
  const [top, bottom] = filledRows(pen.canvas);
  return 1 - (2 * Math.min(top, height - bottom)) / height; // it stays in the middle, so the thinner bar counts
}

/** The rows between the white bars: the first, and the one after the last. @param {HTMLCanvasElement} canvas */
function filledRows(canvas) {
  const { width, height } = canvas;
  const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(0, 0, width, height);
  /** @param {number} y */
  const isBar = (y) => data.subarray(4 * width * y, 4 * width * (y + 1)).every((value) => value >= WHITE);
  const most = Math.floor(MOST_BAR * height);
  let [top, bottom] = [0, height];
  while (top < most && isBar(top)) top += 1;
  while (height - bottom < most && isBar(bottom - 1)) bottom -= 1;
  return [top, bottom];
}

/** @param {string} url */
async function draw(url) {
  const bitmap = await createImageBitmap(dataUrlToBlob(url));
  const pen = penOf(bitmap.width, bitmap.height);
  pen.drawImage(bitmap, 0, 0);
  return pen;
}

/** @param {number} width @param {number} height */
function penOf(width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
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

/**
 * Two pictures side by side, each with its caption, in the shape of a link's preview.
 * @param {{url: string, text: string}[]} sides
 */
export async function card(sides) {
  const { width, height, margin, foot } = CARD;
  const pen = penOf(width, height);
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#f3f6f6";
  pen.fillRect(0, 0, width, height);
  const room = { width: (width - 3 * margin) / 2, height: height - margin - foot };
  for (const [i, { url, text }] of sides.entries()) {
    const { canvas } = await draw(url);
    const scale = Math.min(room.width / canvas.width, room.height / canvas.height);
    const [wide, high] = [canvas.width * scale, canvas.height * scale];
    const middle = margin + room.width / 2 + i * (room.width + margin);
    pen.drawImage(canvas, middle - wide / 2, margin + (room.height - high) / 2, wide, high);
    pen.fillStyle = "#15181b";
    pen.font = `700 34px ${getComputedStyle(document.body).fontFamily}`;
    pen.textAlign = "center";
    pen.fillText(text, middle, height - foot / 2 + 12);
  }
  return pngOf(pen);
}

/** @param {Blob} blob @returns {Promise<string>} */
export const toDataUrl = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

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

/** Copy a picture. The clipboard takes a promise, as Safari wants no wait between click and writing. @param {Promise<Blob>} png */
export function copy(png) {
  return navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
}
