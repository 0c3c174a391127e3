/**
 * Cars on the page: fetched by their references, shown in mounts, with what one can do with them.
 *
 * @import { Context } from "./api.js"
 * @import { Car, Slot } from "./state.js"
 * @typedef {{index: number, image: string, latent?: number[]}} DrawnCar  one car of an answer of `/random`
 */

import { pictured, requestJson } from "./api.js";
import { go, latentReference, parseReference, seedReference } from "./links.js";
import { job, say, stamp, tell } from "./notes.js";
import { canCopy, copy, save, toPng } from "./pictures.js";
import { carLink, share } from "./share.js";
import { ROOM, isFull, isKept, toggleKept } from "./shelf.js";
import { get, picked } from "./state.js";

/** @param {string | number} seed @param {number} temperature @param {DrawnCar} car @returns {Car} */
export function seededCar(seed, temperature, { index, image, latent }) {
  const ref = seedReference(seed, index, temperature);
  return { ref, image, latent, name: `Car ${index} of seed ${seed}`, number: String(index), small: !latent };
}

/** @param {number[]} latent @param {string} image @param {string} name @returns {Car} */
export function latentCar(latent, image, name) {
  return { ref: latentReference(latent), image, latent, name, number: name };
}

/** A car from its reference alone; `null` where the reference is none. @param {string} ref @param {Context} context */
export async function resolve(ref, context) {
  const origin = parseReference(ref);
  if (!origin) return null;
  if ("latent" in origin) {
    const { images } = await requestJson(pictured("/decode"), { json: { latents: [origin.latent] }, ...context });
    return { ...latentCar(origin.latent, images[0], "Car from a link"), ref };
  }
  const { seed, index, temperature } = origin;
  const answer = await requestJson(pictured("/random", { count: 1, first: index, seed, temperature }), context);
  return seededCar(seed, temperature, answer.cars[0]);
}

/** The same car with a picture as large as the model draws it. @param {Car} car @param {Context} [context] @returns {Promise<Car>} */
export async function large(car, context = {}) {
  if (!car.small) return car;
  const { latent } = car;
  if (!latent) return { ...car, ...await resolve(car.ref, context), name: car.name, number: car.number };
  const { images } = await requestJson(pictured("/decode"), { json: { latents: [latent] }, ...context });
  return { ...car, image: images[0], small: false };
}

/** A picture in its slide mount, with its marks. @param {Car} car */
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

/**
 * Everything one can do with a car, as a row of buttons.
 * @param {Car} car
 * @param {string[]} [leaveOut]  the actions that make no sense here
 */
export function actions(car, leaveOut = []) {
  const $buttons = stamp("actions").filter((_, button) => !leaveOut.includes(button.dataset.do ?? ""));
  return bind($("<div>").addClass("contents").append(canCopy() ? $buttons : $buttons.not("[data-do=copy]")), car);
}

/** @param {JQuery} $holder @param {Car} car */
function bind($holder, car) {
  $holder.attr("data-ref", car.ref).data("car", car);
  showMarks($holder);
  return $holder;
}

/** Show by pencil and by state which cars are A, B and kept. */
export function showMarks($holders = $("[data-ref]")) {
  const { a, b } = get("morph");
  $holders.each((_, holder) => {
    /** @type {Car} */
    const car = $(holder).data("car");
    for (const [what, on, label] of /** @type {[string, boolean, string][]} */ ([
      ["a", a === car.ref, `Use ${car.name} as A`],
      ["b", b === car.ref, `Use ${car.name} as B`],
      ["keep", isKept(car.ref), `Keep ${car.name}`],
    ])) {
      $(holder).toggleClass(`is-${what}`, on);
      const $button = $(holder).find(`[data-do=${what}]`).attr("aria-pressed", String(on));
      if ($button.is(".mark")) $button.attr("aria-label", label);
    }
  });
}

/** @param {Car} car */
const fileName = (car) => `carvae-${car.ref.startsWith("z") ? "car" : car.ref.replace(/\W/g, "-")}`;

/** What the buttons of a car do. @type {Record<string, (car: Car) => unknown>} */
const ACTIONS = {
  a: (car) => { picked.toggle("a", car); tellPick("a", car); },
  b: (car) => { picked.toggle("b", car); tellPick("b", car); },
  keep(car) {
    if (isFull() && !isKept(car.ref)) return tell(`The shelf is full with ${ROOM} cars. Take one off it to keep another.`);
    try {
      say(toggleKept(car) ? `${car.name} is on your shelf` : `${car.name} is off your shelf`);
    } catch {
      tell("This browser does not let the page store anything, so nothing can be kept.");
    }
    return undefined;
  },
  like: (car) => go("random", { like: car.ref, count: 12 }),
  tune: (car) => go("tune", { car: car.ref }),
  map: (car) => go("map", { car: car.ref }),
  share: (car) => share(carLink(car.ref), `${car.name}, drawn by a neural network`),
  save: (car) => job("save", "Making the picture", async (context) => {
    save(await toPng((await large(car, context)).image), fileName(car));
  }),
  copy: (car) => copy(large(car).then(({ image }) => toPng(image))).then(
    () => tell("Copied the picture."),
    () => tell("The browser did not allow copying. Download the picture instead."),
  ),
};

/** @param {Slot} slot @param {Car} car */
function tellPick(slot, car) {
  const other = slot === "a" ? "b" : "a";
  const name = slot.toUpperCase();
  const chosen = get("morph");
  if (!chosen[slot]) return say(`${name} is free again`);
  if ($("#view-morph").is(":visible")) return say(`${car.name} is ${name}`);
  if (!chosen[other]) return tell(`${car.name} is ${name}. Choose ${other.toUpperCase()} to morph between them.`);
  return tell("A and B are chosen.", { act: () => go("morph"), label: "Morph them" });
}

export function start() {
  $(document).on("click", "[data-do]", ({ currentTarget }) => {
    ACTIONS[currentTarget.dataset.do]($(currentTarget).closest("[data-ref]").data("car"));
  });
}
