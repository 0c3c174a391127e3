/** Shares links: by the device's own share dialog on phones, else by the clipboard. */

import { address } from "./api.js";
import { link } from "./links.js";
import { tell } from "./notes.js";
import { copyText } from "./pictures.js";

/** Whether the device has a way of its own. Desktops have one, too, but nobody there expects it. */
export const sharesByItself = () => "share" in navigator && matchMedia("(pointer: coarse)").matches;

/** The address of a car: a seeded one has a page that chats can preview. @param {string} ref */
export function carLink(ref) {
  const path = ref.startsWith("z") ? link("tune", { car: ref }) : address(`/car/${ref}`);
  return new URL(path, location.href).href;
}

/** @param {string} url @param {string} title */
export async function share(url, title) {
  if (sharesByItself()) {
    await navigator.share({ url, title }).catch(() => {}); // the visitor cancelled
    return;
  }
  await copyText(url).then(
    () => tell("Copied the link. It brings back exactly this."),
    () => tell(url === location.href
      ? "The browser did not allow copying. The link is in the address bar."
      : `The browser did not allow copying. The link is ${url}`),
  );
}
