/** One car, moved along the directions in which cars differ most. */

import { pictured, requestJson } from "./api.js";
import { actions, latentCar, resolve } from "./cars.js";
import { write } from "./links.js";
import { job, say, stamp, tell } from "./notes.js";
import { freshSeed } from "./random.js";

const $ = window.jQuery;
const MOST = 8; // directions that a server tells
const REACH = 3; // standard deviations to each end, more for a car that is farther out itself
const DIGITS = 1000; // of a latent's numbers; more would only lengthen each request

let directions; // as the server tells them, asked once
let origin; // the car that the dials started from
let starts = []; // its own place on each dial
let stale = false; // the dials have moved since the last request
let drawing = false;
let held = false; // a dial is being dragged

export function show({ car, dials }) {
  if (!car && origin) return keepAddress();
  if (!car || car !== origin?.ref) return load(car ?? anyCar(), dials);
  set(parse(dials));
  return live();
}

const anyCar = () => `${freshSeed()}.0`;

function load(ref, dials) {
  return job("mix", "Fetching the car", async (context) => {
    const found = await resolve(ref, context);
    if (!found) return tell("This link is damaged: its car is missing.");
    directions ??= (await requestJson("/directions", context)).directions;
    if (!directions.length) tell("This model names no directions, so there is nothing to mix.");
    origin = found;
    layOut();
    set(parse(dials));
    keepAddress();
    stale = true;
    return draw(context);
  });
}

const sliders = () => $("#dials input").get();
const values = () => sliders().map((slider) => Number(slider.value));
const hasMoved = () => values().some((value, i) => value !== starts[i]);
const keepAddress = (how) => write("mix", { car: origin.ref, dials: hasMoved() ? values().join() : "" }, how);

/** One dial a direction, each at the place of the car. */
function layOut() {
  starts = directions.map(({ vector, mean, sd }) => {
    const place = vector.reduce((sum, v, i) => sum + v * origin.latent[i], -mean) / sd;
    return Math.round(place * 10) / 10; // where the slider can stand; what is lost is not taken from the car
  });
  $("#dials").empty().append(directions.flatMap(({ name }, i) => {
    const reach = Math.max(REACH, Math.ceil(Math.abs(starts[i])));
    const $dial = stamp("dial");
    $dial.find(".dial__name").text(name);
    $dial.find("input").attr({ min: -reach, max: reach, "aria-label": name });
    $dial[0].style.setProperty("--start", (starts[i] + reach) / (2 * reach));
    $dial.find(".dial__end").each((side, button) => {
      const end = side ? reach : -reach;
      $(button).attr("aria-label", `${name} to ${end}`).on("click", () => { $dial.find("input").val(end); settle(); });
    });
    return $dial.get();
  }));
}

/** Where a link puts the dials; those that it leaves out stay at the car's own places. */
function parse(dials = "") {
  const asked = dials.split(",").map((text) => (text.trim() === "" ? NaN : Number(text)));
  return starts.map((start, i) => (Number.isFinite(asked[i]) ? asked[i] : start));
}

function set(places) {
  sliders().forEach((slider, i) => { slider.value = places[i]; });
  tellPlaces();
}

function tellPlaces() {
  for (const slider of sliders()) {
    const value = Number(slider.value);
    $(slider).attr("aria-valuetext", `${value} standard deviations`).siblings("output").text(value.toFixed(1).replace("-", "−"));
  }
  $("#mix-reset").prop("disabled", !hasMoved());
}

/** The latent of the car with its dials at these places. */
function latentAt(places) {
  const moved = origin.latent.slice();
  places.forEach((place, i) => {
    const far = (place - starts[i]) * directions[i].sd;
    if (far) directions[i].vector.forEach((v, k) => { moved[k] += far * v; });
  });
  return moved.map((z) => Math.round(z * DIGITS) / DIGITS);
}

function live() {
  stale = true;
  tellPlaces();
  if (!drawing) job("mix", "Mixing", draw);
}

function settle() {
  held = false;
  keepAddress({ replace: true });
  live();
}

/** Draw until the dials rest. One request at a time: places passed meanwhile are never asked for. */
async function draw(context) {
  drawing = true;
  try {
    while (stale) {
      stale = false;
      await drawOnce(context);
    }
  } catch (error) {
    stale = true;
    throw error;
  } finally {
    drawing = false;
  }
}

async function drawOnce(context) {
  const places = values();
  const car = hasMoved() ? await mixed(latentAt(places), context) : origin;
  $("#mix-image").prop("hidden", false).attr({ src: car.image, alt: `${car.name}, drawn by the network` });
  $("#mix-name").text(car.name);
  if (held || stale) return;
  $("#mix-deeds").empty().append(actions(car, ["mix"]));
  say(`${car.name} is drawn`);
  const ends = sliders().flatMap(({ min, max }, i) => [min, max].map((end) => places.with(i, Number(end))));
  const images = await decode(ends.map(latentAt), context);
  $("#dials img").each((i, element) => { $(element).attr("src", images[i]); });
}

async function mixed(latent, context) {
  const [image] = await decode([latent], context);
  return latentCar(latent, image, `Mix of ${origin.name}`);
}

const decode = async (latents, context) =>
  (await requestJson(pictured("/decode"), { json: { latents }, ...context })).images;

$("#dials").on("input", "input", () => { held = true; live(); }).on("change", "input", settle);
$("#mix-reset").on("click", () => { set(starts); settle(); });
$("#mix-new").on("click", () => load(anyCar()));
$("#dials").append(Array.from({ length: MOST }, () => {
  const $dial = stamp("dial").attr("aria-hidden", "true");
  $dial.find("button, input").prop("disabled", true);
  return $dial;
}));
