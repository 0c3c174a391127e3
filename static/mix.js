/**
 * One car, moved along the directions in which cars differ most.
 *
 * @import { Context } from "./api.js"
 * @import { Car, MixState } from "./state.js"
 * @typedef {{name: string, vector: number[], mean: number, sd: number}} Direction
 */

import { pictured, requestJson } from "./api.js";
import { actions, latentCar, resolve } from "./cars.js";
import { parseReference } from "./links.js";
import { job, say, stamp, tell } from "./notes.js";
import { change, freshSeed, get } from "./state.js";

const MOST = 8; // directions that a server tells
const REACH = 3; // standard deviations to each end, more for a car that is farther out itself
const DIGITS = 1000; // of a latent's numbers; more would only lengthen each request

/** As the server tells them, asked once. @type {Direction[] | undefined} */
let directions;
/** The car that the dials start from. @type {(Car & {latent: number[]}) | undefined} */
let origin;
let fetching = ""; // reference of the car that is on its way
/** Its own place on each dial. @type {number[]} */
let starts = [];
/** How far each dial goes to both sides. @type {number[]} */
let reaches = [];
let shown = ""; // the places that are drawn or on their way, and how much of them
let drawing = false;
let held = false; // a dial is being dragged

/** @param {Readonly<MixState>} state @returns {Promise<boolean> | void} */
export function render({ car }) {
  if (!parseReference(car)) return tell("This link is damaged: its car is missing.", { lasting: true });
  if (car !== origin?.ref) return car === fetching ? undefined : load(car);
  showPlaces();
  return draw();
}

/** @param {string} ref */
function load(ref) {
  return job("mix-car", "Fetching the car", async ({ settled, ...context }) => {
    const $dials = $("#dials").prop("inert", true);
    fetching = ref;
    try {
      await settled();
      const found = await resolve(ref, context);
      directions ??= /** @type {Direction[]} */ ((await requestJson("/directions", context)).directions);
      if (!directions.length) tell("This model names no directions, so there is nothing to mix.");
      origin = { .../** @type {Car & {latent: number[]}} */ (found), ref };
    } finally {
      if (fetching === ref) fetching = "";
      if (!fetching) $dials.prop("inert", false);
    }
    shown = "";
    setDials(origin, directions);
    return render(get("mix"));
  });
}

/** One dial per direction, with the car's own place. @param {{latent: number[]}} car @param {Direction[]} along */
function setDials({ latent }, along) {
  starts = along.map(({ vector, mean, sd }) => {
    const place = vector.reduce((sum, v, i) => sum + v * latent[i], -mean) / sd;
    return tenths(place); // where the slider can stand; what is lost is not taken from the car
  });
  reaches = starts.map((place) => Math.max(REACH, Math.ceil(Math.abs(place))));
  $("#dials").empty().append(along.flatMap(({ name }, i) => {
    const $dial = stamp("dial");
    $dial.find(".dial__name").text(name);
    $dial.find("input").attr({ min: -reaches[i], max: reaches[i], "aria-label": name });
    $dial[0].style.setProperty("--start", String((starts[i] + reaches[i]) / (2 * reaches[i])));
    $dial.find(".dial__end").each((side, button) => {
      const end = side ? reaches[i] : -reaches[i];
      $(button).attr("aria-label", `${name} to ${end}`).on("click", () => settle(places().with(i, end)));
    });
    return $dial.get();
  }));
}

/** @param {number} place */
const tenths = (place) => Math.round(place * 10) / 10;

/** Where the dials are; those that the state leaves out are at the car's own places. */
function places() {
  const { dials } = get("mix");
  return starts.map((start, i) => tenths(Math.min(reaches[i], Math.max(-reaches[i], dials[i] ?? start))));
}

/** @param {number[]} at */
const hasMoved = (at) => at.some((place, i) => place !== starts[i]);

function showPlaces() {
  const at = places();
  $("#dials input").each((i, slider) => {
    $(slider).val(at[i]).attr("aria-valuetext", `${at[i]} standard deviations`)
      .siblings("output").text(at[i].toFixed(1).replace("-", "−"));
  });
  $("#mix-reset").prop("disabled", !hasMoved(at));
}

/** Where the sliders stand. */
const sliders = () => $("#dials input").get().map((slider) => Number(/** @type {HTMLInputElement} */ (slider).value));

/** Let the dials rest where they are. @param {number[]} at */
function settle(at) {
  held = false;
  change("mix", { dials: hasMoved(at) ? at : [] }, "replace");
}

/** The latent of the car with its dials at these places. @param {number[]} at @param {Car & {latent: number[]}} car */
function latentAt(at, { latent }) {
  const moved = latent.slice();
  at.forEach((place, i) => {
    const { vector, sd } = /** @type {Direction[]} */ (directions)[i];
    const far = (place - starts[i]) * sd;
    if (far) vector.forEach((v, k) => { moved[k] += far * v; });
  });
  return moved.map((z) => Math.round(z * DIGITS) / DIGITS);
}

/** What is to be drawn: while a dial is held, the car alone. */
const wanted = () => JSON.stringify([places(), held]);

/** Draw until the dials rest. One request at a time: places passed meanwhile are never asked for. */
function draw() {
  if (drawing || shown === wanted()) return undefined;
  return job("mix", "Mixing", async (context) => {
    drawing = true;
    try {
      while (shown !== wanted()) {
        shown = wanted();
        await drawOnce(/** @type {Car & {latent: number[]}} */ (origin), context);
      }
    } catch (error) {
      shown = "";
      throw error;
    } finally {
      drawing = false;
    }
  });
}

/** @param {Car & {latent: number[]}} from @param {Context} context */
async function drawOnce(from, context) {
  const at = places();
  const car = hasMoved(at) ? await mixed(from, latentAt(at, from), context) : from;
  if (from !== origin) return;
  $("#mix-image").prop("hidden", false).attr({ src: car.image, alt: `${car.name}, drawn by the network` });
  $("#mix-name").text(car.name);
  if (held || shown !== wanted()) return;
  $("#mix-buttons").empty().append(actions(car, ["mix"]));
  say(`${car.name} is drawn`);
  const ends = reaches.flatMap((reach, i) => [-reach, reach].map((end) => latentAt(at.with(i, end), from)));
  const images = ends.length ? await decode(ends, context) : [];
  if (from !== origin) return;
  $("#dials img").each((i, element) => { $(element).attr("src", images[i]); });
}

/** @param {Car} from @param {number[]} latent @param {Context} context */
async function mixed(from, latent, context) {
  const [image] = await decode([latent], context);
  return latentCar(latent, image, `Mix of ${from.name}`);
}

/** @param {number[][]} latents @param {Context} context @returns {Promise<string[]>} */
const decode = async (latents, context) =>
  (await requestJson(pictured("/decode"), { json: { latents }, ...context })).images;

export function start() {
  $("#dials")
    .on("input", "input", () => {
      held = true;
      if (!fetching) change("mix", { dials: sliders() }, "none");
    })
    .on("change", "input", () => { if (!fetching) settle(sliders()); });
  $("#mix-reset").on("click", () => settle(starts));
  $("#mix-new").on("click", () => change("mix", { car: `${freshSeed()}.0`, dials: [] }));
  $("#dials").append(Array.from({ length: MOST }, () => {
    const $dial = stamp("dial").attr("aria-hidden", "true");
    $dial.find("button, input").prop("disabled", true);
    return $dial;
  }));
}
