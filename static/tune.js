/**
 * One car, moved along the directions in which cars differ most.
 *
 * @import { Context } from "./api.js"
 * @import { Call } from "./snippets.js"
 * @import { Car, TuneState } from "./state.js"
 * @import { Direction } from "./directions.js"
 */

import { pictured, requestJson } from "./api.js";
import { actions, latentCar, resolve } from "./cars.js";
import { REACH, directions, move, place } from "./directions.js";
import { parseReference } from "./links.js";
import { job, say, stamp, tell } from "./notes.js";
import { carCall } from "./snippets.js";
import { change, freshSeed, get } from "./state.js";

const MOST = 8; // directions that a server tells

/** @type {Direction[]} */
let along = [];
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
/** Where the dials rested, of this car, and where they did before. @type {(number | null)[]} */
let rested = [];
/** @type {(number | null)[][]} */
let past = [];

/** @param {Readonly<TuneState>} state @returns {Promise<boolean> | void} */
export function render({ car }) {
  if (!parseReference(car)) return tell("This link is damaged: its car is missing.", { lasting: true });
  if (car !== origin?.ref) return car === fetching ? undefined : load(car);
  showPlaces();
  return draw();
}

/** @param {string} ref */
function load(ref) {
  return job("tune-car", "Fetching the car", async ({ settled, ...context }) => {
    const $dials = $("#dials").prop("inert", true);
    fetching = ref;
    try {
      await settled();
      const found = await resolve(ref, context);
      along = await directions(context);
      if (!along.length) tell("This model names no directions, so there is nothing to tune.");
      origin = { .../** @type {Car & {latent: number[]}} */ (found), ref };
    } finally {
      if (fetching === ref) fetching = "";
      if (!fetching) $dials.prop("inert", false);
    }
    shown = "";
    [rested, past] = [get("tune").dials, []];
    $("#tune-undo").prop("disabled", true);
    setDials(origin);
    return render(get("tune"));
  });
}

/** One dial per direction, with the car's own place. @param {{latent: number[]}} car */
function setDials({ latent }) {
  starts = along.map((direction) => tenths(place(latent, direction))); // where the slider can stand; no car loses the rest
  reaches = starts.map((start) => Math.max(REACH, Math.ceil(Math.abs(start)))); // for a car that is farther out itself
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

/** @param {number} value */
const tenths = (value) => Math.round(value * 10) / 10;

/** Where the dials are; those that the state leaves out are at the car's own places. */
function places() {
  const { dials } = get("tune");
  return starts.map((start, i) => tenths(Math.min(reaches[i], Math.max(-reaches[i], dials[i] ?? start))));
}

/** @param {number[]} at */
const hasMoved = (at) => at.some((each, i) => each !== starts[i]);

function showPlaces() {
  const at = places();
  $("#dials input").each((i, slider) => {
    $(slider).val(at[i]).attr("aria-valuetext", `${at[i]} standard deviations`)
      .siblings("output").text(at[i].toFixed(1).replace("-", "−"));
  });
  $("#tune-reset").prop("disabled", !hasMoved(at));
}

/** Where the sliders stand. */
const sliders = () => $("#dials input").get().map((slider) => Number(/** @type {HTMLInputElement} */ (slider).value));

/** Let the dials rest where they are. @param {number[]} at */
function settle(at) {
  const next = hasMoved(at) ? at : [];
  if (String(next) !== String(rested)) past.push(rested);
  rest(next);
}

/** @param {(number | null)[]} dials */
function rest(dials) {
  held = false;
  rested = dials;
  change("tune", { dials }, "replace");
  $("#tune-undo").prop("disabled", past.length === 0);
}

/** The latent of the car with its dials at these places. @param {number[]} at @param {Car & {latent: number[]}} car */
const latentAt = (at, { latent }) => move(latent, along.map((direction, i) => [direction, at[i] - starts[i]]));

/** What is to be drawn: while a dial is held, the car alone. */
const wanted = () => JSON.stringify([places(), held]);

/** Draw until the dials rest. One request at a time: places passed meanwhile are never asked for. */
function draw() {
  if (drawing || shown === wanted()) return undefined;
  return job("tune", "Tuning", async (context) => {
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
  const car = hasMoved(at) ? await tuned(from, latentAt(at, from), context) : from;
  if (from !== origin) return;
  $("#tune-image").prop("hidden", false).attr({ src: car.image, alt: `${car.name}, drawn by the network` });
  $("#tune-name").text(car.name);
  if (held || shown !== wanted()) return;
  $("#tune-buttons").empty().append(actions(car, ["tune"]));
  say(`${car.name} is drawn`);
  const ends = reaches.flatMap((reach, i) => [-reach, reach].map((end) => latentAt(at.with(i, end), from)));
  const images = ends.length ? await decode(ends, context, { size: 96 }) : [];
  if (from !== origin) return;
  $("#dials img").each((i, element) => { $(element).attr("src", images[i]); });
}

/** The request for the car as its dials are. @returns {Call | null} */
export function call() {
  if (!origin) return null;
  const at = places();
  return hasMoved(at) ? { path: "/decode", json: { latents: [latentAt(at, origin)] } } : carCall(origin.ref, origin.latent);
}

/** @param {Car} from @param {number[]} latent @param {Context} context */
async function tuned(from, latent, context) {
  const [image] = await decode([latent], context);
  return latentCar(latent, image, `${from.name}, tuned`);
}

/** @param {number[][]} latents @param {Context} context @param {{size?: number}} [query] @returns {Promise<string[]>} */
const decode = async (latents, context, query) =>
  (await requestJson(pictured("/decode", query), { json: { latents }, ...context })).images;

export function start() {
  $("#dials")
    .on("input", "input", () => {
      held = true;
      if (!fetching) change("tune", { dials: sliders() }, "none");
    })
    .on("change", "input", () => { if (!fetching) settle(sliders()); });
  $("#tune-reset").on("click", () => settle(starts));
  $("#tune-undo").on("click", () => rest(past.pop() ?? []));
  $("#tune-new").on("click", () => change("tune", { car: `${freshSeed()}.0`, dials: [] }));
  $("#dials").append(Array.from({ length: MOST }, () => {
    const $dial = stamp("dial").attr("aria-hidden", "true");
    $dial.find("button, input").prop("disabled", true);
    return $dial;
  }));
}
