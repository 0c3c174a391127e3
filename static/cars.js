/**
 * Cars on the page. A car is `{ref, image, name, number, latent?}`: its reference for links (links.js), a data URL,
 * what it is called, what stands on its mount, and its latent where an answer brought it along.
 */

import { pictured, requestJson } from "./api.js";
import { go, latentReference, parseReference, seedReference } from "./links.js";
import { say, stamp, tell } from "./notes.js";
import { canCopy, copy, save, toPng } from "./pictures.js";
import { isKept, toggleKept } from "./shelf.js";

const $ = window.jQuery;

/** The two ends of a morph. */
export const picked = { a: null, b: null };

export function seededCar(seed, temperature, { index, image, latent }) {
  const ref = seedReference(seed, index, temperature);
  return { ref, image, latent, name: `Car ${index} of seed ${seed}`, number: String(index) };
}

export function latentCar(latent, image, name) {
  return { ref: latentReference(latent), image, latent, name, number: name };
}

/** A car from its reference alone; `null` where the reference is none. */
export async function resolve(ref, context) {
  const origin = parseReference(ref);
  if (!origin) return null;
  if (origin.latent) {
    const { images } = await requestJson(pictured("/decode"), { json: { latents: [origin.latent] }, ...context });
    return { ...latentCar(origin.latent, images[0], "Car from a link"), ref };
  }
  const { seed, index, temperature } = origin;
  const answer = await requestJson(pictured("/random", { count: index + 1, seed, temperature }), context);
  return seededCar(seed, temperature, answer.cars[index]);
}

/** Choose a car as A or B, or drop it again when it is chosen already. */
export function pick(slot, car) {
  picked[slot] = picked[slot]?.ref === car?.ref ? null : car;
  $(document).trigger("picked");
}

/** A picture in its slide mount, with its marks. */
export function mount(car) {
  const $mount = stamp("mount");
  $mount.find("img").attr({ src: car.image, alt: "" });
  $mount.find(".mount__window").attr("aria-label", `${car.name}: enlarge`);
  $mount.find(".mount__number").text(car.number);
  return bind($mount, car);
}

/** An empty mount of the same size, for a car still to come. */
export const blank = () => $("<li>").addClass("mount mount--blank").attr("aria-hidden", "true")
  .append($("<span>").addClass("mount__window"), $("<span>").addClass("mount__edge"));

/** Everything one can do with a car, as a row of buttons; `leaveOut` names those that make no sense here. */
export function actions(car, leaveOut = []) {
  const $buttons = stamp("actions").filter((_, button) => !leaveOut.includes(button.dataset.do));
  if (!canCopy()) $buttons.filter("[data-do=copy]").remove();
  return bind($("<div>").addClass("contents").append($buttons), car);
}

function bind($holder, car) {
  $holder.attr("data-ref", car.ref).data("car", car);
  showMarks($holder);
  return $holder;
}

/** Show by pencil and by state which cars are A, B and kept. */
export function showMarks($holders = $("[data-ref]")) {
  $holders.each((_, holder) => {
    const car = $(holder).data("car");
    const state = { a: picked.a?.ref === car.ref, b: picked.b?.ref === car.ref, keep: isKept(car.ref) };
    const labels = { a: `Use ${car.name} as A`, b: `Use ${car.name} as B`, keep: `Keep ${car.name}` };
    for (const [what, on] of Object.entries(state)) {
      $(holder).toggleClass(`is-${what}`, on);
      const $button = $(holder).find(`[data-do=${what}]`).attr("aria-pressed", String(on));
      if ($button.is(".mark")) $button.attr("aria-label", labels[what]);
    }
  });
}

const fileName = (car) => `carvae-${car.ref.startsWith("z") ? "car" : car.ref.replace(/\W/g, "-")}`;

const DEEDS = {
  a: (car) => { pick("a", car); tellPick("a"); },
  b: (car) => { pick("b", car); tellPick("b"); },
  keep(car) {
    try {
      say(toggleKept(car) ? `${car.name} is on your shelf` : `${car.name} is off your shelf`);
    } catch {
      tell("This browser does not let the page store anything, so nothing can be kept.");
    }
  },
  like: (car) => go("random", { like: car.ref, count: 12 }),
  mix: (car) => go("mix", { car: car.ref }),
  save: async (car) => save(await toPng(car.image), fileName(car)),
  copy: (car) => copy(car.image).then(
    () => tell("Copied the picture."),
    () => tell("The browser did not allow copying. Download the picture instead."),
  ),
};

function tellPick(slot) {
  const other = slot === "a" ? "b" : "a";
  const name = slot.toUpperCase();
  if (!picked[slot]) return say(`${name} is free again`);
  if ($("#view-morph").is(":visible")) return say(`${picked[slot].name} is ${name}`);
  if (!picked[other]) return tell(`${picked[slot].name} is ${name}. Choose ${other.toUpperCase()} to morph between them.`);
  return tell("A and B are chosen.", { act: () => go("morph"), label: "Morph them" });
}

$(document).on("click", "[data-do]", (event) => {
  DEEDS[event.currentTarget.dataset.do]($(event.currentTarget).closest("[data-ref]").data("car"));
});
$(document).on("picked shelf", () => {
  showMarks();
  for (const [slot, car] of Object.entries(picked)) $(`.pick--${slot}`).toggleClass("is-on", Boolean(car));
});
