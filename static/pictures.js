/** Pictures in the browser: made small before the upload, saved, copied. */

//: The model sees 128 pixels; four times that keeps its own, better, downscaling in charge.
const UPLOAD_SIDE = 512;
const SMALL_ENOUGH_BYTES = 200_000;

/**
 * A picture file made small enough to upload, upright and without metadata.
 * What the browser cannot read goes up as it is: the server reads more formats, and says so when it does not.
 */
export async function shrink(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (!bitmap) return file;
  const scale = UPLOAD_SIDE / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1 && file.size <= SMALL_ENOUGH_BYTES) return file;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * Math.min(1, scale)));
  canvas.height = Math.max(1, Math.round(bitmap.height * Math.min(1, scale)));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff"; // under transparent parts, as the server does
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob((blob) => resolve(blob ?? file), "image/jpeg", 0.95); });
}

/** The first picture among the files of a drop, a paste or an input. */
export function firstPicture(transfer) {
  const files = Array.from(transfer?.files ?? []);
  return files.find((file) => file.type.startsWith("image/")) ?? files[0];
}

export function dataUrlToBlob(url) {
  const [head, body] = url.split(",");
  const type = /^data:([^;,]+)/.exec(head)[1];
  return new Blob([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], { type });
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.${blob.type.split("/")[1]}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // Safari reads it late
}

export const canCopy = () => Boolean(navigator.clipboard?.write && window.ClipboardItem);

export function copy(blob) {
  return navigator.clipboard.write([new ClipboardItem({ [blob.type]: blob })]);
}
