/**
 * Random cars: a sheet of them from a seed, or variations of one car.
 *
 * @import { Context } from "./api.js"
 * @import { DrawnCar } from "./cars.js"
 * @import { Call } from "./snippets.js"
 * @import { Car, RandomState } from "./state.js"
 */

import { SHEET, pictured, requestJson } from "./api.js";
import { blank, latentCar, mount, resolve, seededCar } from "./cars.js";
import { interpolate } from "./latents.js";
import { format, parseReference } from "./links.js";
import { job, say, tell } from "./notes.js";
import { change, freshSeed, get } from "./state.js";

const FIRST_CARS = 12; // of a larger sheet these come first, by a request of their own
const STRAY = 0.3; // share of the way from a car to a random one, at temperature 1

let shown = ""; // the state whose cars are there or on their way
/** Of the variations that are there. @type {number[][]} */
let varied = [];

/** @param {Readonly<RandomState>} state */
export function render(state) {
  $("#random-seed").val(state.seed);
  $("#random-count").val(state.count);
  $("#random-temperature").val(state.temperature);
  $("#random-temperature-value").text(state.temperature.toFixed(1));
  $("#random-like").prop("hidden", !state.like).find("img").last().prop("hidden", !state.also);
  $("#random-like span").text(`Cars ${state.also ? "between and around these two" : "like this one"}. Temperature sets how far they stray.`);
  const wanted = format("random", state);
  return wanted === shown ? undefined : draw(state, wanted);
}

/** @param {Readonly<RandomState>} state @param {string} wanted */
function draw(state, wanted) {
  const { seed, count, like, also } = state;
  if ([like, also].some((ref) => ref && !parseReference(ref))) {
    tell("This link is damaged: the car to vary is missing.", { lasting: true });
    return change("random", { like: "", also: "" }, "replace");
  }
  const $sheet = $("#random-cars");
  return job("random", `Drawing ${count === 1 ? "a car" : `${count} cars`}`, async ({ signal, settled, ...context }) => {
    shown = wanted;
    // What is there stays until something else has come.
    $sheet.attr("aria-busy", "true").children(".mount--blank").remove();
    $sheet.append(blanks(count - $sheet.children().length));
    try {
      await settled();
      const batches = like ? variations(state, { signal, ...context }) : sheet(state, { signal, ...context });
      for await (const { first, cars } of batches) {
        if (!first) $sheet.empty().append(blanks(count));
        cars.forEach((car, i) => $sheet.children().eq(first + i).replaceWith(mount(car)));
      }
    } catch (error) {
      if (signal.reason !== "newer") $sheet.children(".mount--blank").remove();
      if (shown === wanted) shown = "";
      throw error;
    } finally {
      if (signal.reason !== "newer") $sheet.attr("aria-busy", "false");
    }
    say(`${count} cars of seed ${seed}`);
  });
}

/** @param {number} count  none where it is negative */
const blanks = (count) => Array.from({ length: Math.max(0, count) }, blank);

/**
 * The cars of a seed, in one or two batches.
 * @param {Readonly<RandomState>} state
 * @param {Context} context
 */
async function* sheet({ seed, count, temperature }, context) {
  const rest = { count: count - FIRST_CARS, first: FIRST_CARS };
  for (const batch of count > FIRST_CARS ? [{ count: FIRST_CARS }, rest] : [{ count }]) {
    const answer = await requestJson(pictured("/random", { ...batch, seed, temperature, ...SHEET, latents: "false" }), context);
    /** @type {Car[]} */
    const cars = answer.cars.map((/** @type {DrawnCar} */ car) => seededCar(seed, temperature, car));
    yield { first: "first" in batch ? batch.first : 0, cars };
  }
}

/**
 * Cars on the way from one car to each of the cars of a seed; with another car, from places between the two.
 * @param {Readonly<RandomState>} state
 * @param {Context} context
 */
async function* variations({ seed, count, temperature, like, also }, context) {
  const [one, other = one] = /** @type {(Car & {latent: number[]})[]} */ (
    await Promise.all((also ? [like, also] : [like]).map((ref) => resolve(ref, context))));
  $("#random-like img").first().attr("src", one.image).next().attr("src", also ? other.image : null);
  const others = await requestJson(pictured("/random", { count, seed, size: 32 }), context); // for their latents
  const share = Math.min(1, STRAY * temperature);
  /** @type {number[][]} */
  const latents = others.cars.map((/** @type {{latent: number[]}} */ { latent }, /** @type {number} */ i) =>
    interpolate(interpolate(one.latent, other.latent, (i + 0.5) / count), latent, share));
  const { images } = await requestJson(pictured("/decode", SHEET), { json: { latents }, ...context });
  varied = latents;
  yield { first: 0, cars: latents.map((latent, i) => ({ ...latentCar(latent, images[i], `Variation ${i}`), number: String(i), small: true })) };
}

/** The request for the cars that are there. @returns {Call | null} */
export function call() {
  const { seed, count, temperature, like } = get("random");
  if (!$("#random-cars > [data-ref]").length) return null;
  return like ? { path: "/decode", json: { latents: varied } } : { path: "/random", query: { seed, count, temperature } };
}

/** What the form says. @returns {Partial<RandomState>} */
const form = () => ({
  seed: String($("#random-seed").val()).trim(),
  count: Number($("#random-count").val()),
  temperature: Number($("#random-temperature").val()),
});

/** Draw what the form says, if it says something that can be drawn. */
function submit() {
  const seed = /** @type {HTMLInputElement} */ (document.getElementById("random-seed"));
  seed.setCustomValidity(Number(seed.value) > Number.MAX_SAFE_INTEGER ? seed.title : "");
  if (/** @type {HTMLFormElement} */ (document.getElementById("random-form")).reportValidity()) change("random", form());
}

export function start() {
  $("#random-form").attr("novalidate", "").on("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("#random-new").on("click", () => {
    $("#random-seed").val(freshSeed());
    submit();
  });
  $("#random-temperature").on("input", () => {
    $("#random-temperature-value").text(Number($("#random-temperature").val()).toFixed(1));
  }).on("change", submit);
  $("#random-like button").on("click", () => change("random", { like: "", also: "" }));
}
