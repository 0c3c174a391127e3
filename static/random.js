/** Random cars: a sheet of them from a seed, or variations of one car. */

import { pictured, requestJson } from "./api.js";
import { blank, latentCar, mount, resolve, seededCar } from "./cars.js";
import { format, write } from "./links.js";
import { job, say } from "./notes.js";

const $ = window.jQuery;
const FIRST_CARS = 12; // of a larger sheet these come first, by a request of their own
const STRAY = 0.3; // share of the way from a car to a random one, at temperature 1
const SEEDS = 1_000_000; // short enough to read aloud

let onTable = "";

export const freshSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0] % SEEDS);

export function show(params) {
  const asked = Object.keys(params).length > 0;
  if (!asked && onTable) return write("random", state());
  const wanted = { seed: freshSeed(), count: "12", temperature: "1", like: "", ...params };
  if (format("random", wanted) === onTable) return undefined;
  fill(wanted);
  return draw();
}

function fill({ seed, count, temperature, like }) {
  $("#random-seed").val(seed);
  $("#random-count").val(count);
  $("#random-temperature").val(temperature).trigger("input");
  $("#random-like").data("ref", like).prop("hidden", !like);
}

function state() {
  return {
    seed: $("#random-seed").val().trim(),
    count: $("#random-count").val(),
    temperature: $("#random-temperature").val(),
    like: $("#random-like").data("ref") || "",
  };
}

function draw() {
  const wanted = state();
  const count = Math.min(64, Math.max(1, Number(wanted.count) || 1));
  write("random", wanted);
  onTable = "";
  const $sheet = $("#random-cars").empty().append(Array.from({ length: count }, blank));
  const doing = `Drawing ${count === 1 ? "a car" : `${count} cars`}`;
  return job("random", doing, async (context) => {
    $sheet.attr("aria-busy", "true");
    try {
      const cars = wanted.like ? variations(wanted, context) : sheet(wanted, context);
      for await (const some of cars) lay(some);
    } finally {
      if (context.signal.reason !== "newer") $sheet.attr("aria-busy", "false");
    }
    onTable = format("random", wanted);
    say(`${count} cars of seed ${wanted.seed}`);
  });
}

/** The cars of a seed, in one or two helpings. */
async function* sheet({ seed, count, temperature }, context) {
  for (const helping of new Set([Math.min(count, FIRST_CARS), Number(count)])) {
    const answer = await requestJson(pictured("/random", { count: helping, seed, temperature }), context);
    yield answer.cars.map((car) => seededCar(seed, temperature, car));
  }
}

/** Cars on the way from one car to each of the cars of a seed. */
async function* variations({ seed, count, temperature, like }, context) {
  const origin = await resolve(like, context);
  if (!origin) {
    $("#random-like").data("ref", "").prop("hidden", true);
    yield* sheet({ seed, count, temperature: 1 }, context);
    return;
  }
  $("#random-like img").attr("src", origin.image);
  const others = await requestJson(pictured("/random", { count, seed }), context);
  const share = Math.min(1, STRAY * temperature);
  const latents = others.cars.map(({ latent }) => latent.map((z, i) => origin.latent[i] + share * (z - origin.latent[i])));
  const { images } = await requestJson(pictured("/decode"), { json: { latents }, ...context });
  yield images.map((image, i) => ({ ...latentCar(latents[i], image, `Variation ${i}`), number: String(i) }));
}

/** Put cars into the mounts that wait for them. */
function lay(cars) {
  const $places = $("#random-cars").children();
  cars.forEach((car, i) => {
    if ($places.eq(i).data("car")?.ref !== car.ref) $places.eq(i).replaceWith(mount(car));
  });
}

$("#random-form").on("submit", (event) => { event.preventDefault(); draw(); });
$("#random-new").on("click", () => {
  $("#random-seed").val(freshSeed());
  if (document.getElementById("random-form").reportValidity()) draw();
});
$("#random-temperature").on("input", (event) => {
  $("#random-temperature-value").text(Number(event.target.value).toFixed(1));
}).on("change", () => draw());
$("#random-like button").on("click", () => {
  $("#random-like").data("ref", "").prop("hidden", true);
  draw();
});
