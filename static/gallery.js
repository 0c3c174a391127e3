/** Cars worth seeing, chosen once for one model; with another model they would be other cars, and are not shown. */

import { SHEET, pictured, requestJson } from "./api.js";
import { blank, mount, seededCar } from "./cars.js";
import { parseReference } from "./links.js";

/** Ask for the cars once their place comes into view. @param {string} version  of the model that answers */
export async function start(version) {
  const chosen = await fetch("gallery.json").then((answer) => answer.json()).catch(() => null);
  if (chosen?.model !== version) return;
  $("#gallery").prop("hidden", false);
  $("#gallery-cars").append(chosen.cars.map(blank));
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    watcher.disconnect();
    fill(chosen.cars);
  });
  watcher.observe(/** @type {HTMLElement} */ (document.getElementById("gallery-cars")));
}

/** One after the other: they are of many seeds, and no server should get a dozen requests at once. @param {string[]} refs */
async function fill(refs) {
  for (const ref of refs) {
    const origin = /** @type {{seed: number, index: number, temperature: number}} */ (parseReference(ref));
    const { seed, index: first, temperature } = origin;
    const query = { count: 1, first, seed, temperature, ...SHEET, latents: "false" };
    const answer = await requestJson(pictured("/random", query)).catch(() => null);
    if (!answer) break;
    $("#gallery-cars > .mount--blank").first().replaceWith(mount(seededCar(seed, temperature, answer.cars[0])));
  }
  $("#gallery-cars > .mount--blank").remove();
}
