/** The cars between two cars: frames fetched once, then played and scrubbed in the browser. */

import { pictured, request, requestJson } from "./api.js";
import { pick, picked, resolve, seededCar } from "./cars.js";
import { go, latentReference, parseReference, write } from "./links.js";
import { job, say, stamp, tell } from "./notes.js";
import { copy, firstPicture, save, toPng } from "./pictures.js";
import { freshSeed } from "./random.js";
import { encode } from "./reconstruct.js";

const $ = window.jQuery;
const FRAME_MS = 90;
const STRIP_FRAMES = 9;

let frames = [];
let latents = []; // of A and B
let onTable = ""; // what the frames were made from
let playing = 0;
let startAt = 0; // the frame that a link asks for, until there are frames

const method = () => $("#morph-form [name=method]:checked").val();
const steps = () => $("#morph-steps").val();
const at = () => Number($("#scrubber").val());
const options = () => ({ a: picked.a?.ref, b: picked.b?.ref, method: method(), steps: steps() });

export function show(params) {
  startAt = Number.parseInt(params.at ?? at(), 10) || 0;
  if (params.method) $(`#morph-form [name=method][value="${CSS.escape(params.method)}"]`).prop("checked", true);
  if (params.steps) $("#morph-steps").val(params.steps);
  const wanted = ["a", "b"].filter((slot) => params[slot] && params[slot] !== picked[slot]?.ref);
  if (wanted.length) {
    return job("ends", "Fetching the two cars", async (context) => {
      for (const slot of wanted) picked[slot] = await resolve(params[slot], context);
      if (!picked.a || !picked.b) tell("This link is damaged: one of its cars is missing.");
      $(document).trigger("picked");
    });
  }
  return picked.a || picked.b ? morph() : twoNewCars();
}

export const hide = () => pause();

/** Two cars nobody has seen, so that there is something to play with. */
function twoNewCars() {
  return job("ends", "Drawing two cars", async (context) => {
    const seed = freshSeed();
    const { cars } = await requestJson(pictured("/random", { count: 2, seed }), context);
    [picked.a, picked.b] = cars.map((car) => seededCar(seed, 1, car));
    $(document).trigger("picked");
  });
}

/** Fetch the frames for what is chosen, unless they are here already. */
async function morph() {
  const wanted = JSON.stringify(options());
  if (!$("#view-morph").is(":visible")) return;
  if (wanted === onTable) see(startAt);
  address();
  if (wanted === onTable) return;
  pause();
  setFrames([]);
  onTable = wanted;
  if (!picked.a || !picked.b) return;
  await job("morph", `Drawing ${steps()} frames`, async (context) => {
    const answer = await requestJson(pictured("/interpolate", way()), { json: ends(), ...context });
    onTable = wanted;
    latents = [answer.start.latent, answer.end.latent];
    setFrames(answer.frames);
    see(startAt);
    startAt = 0;
    say(`${answer.frames.length} frames from A to B`);
  }).then((done) => { if (!done && onTable === wanted) onTable = ""; });
}

const way = () => ({ steps: steps(), method: method() });
const end = (car) => (car.latent && car.ref.startsWith("z") ? { latent: car.latent } : parseReference(car.ref));
const ends = () => ({ start: end(picked.a), end: end(picked.b) });
const address = (how) => write("morph", { ...options(), at: (frames.length ? at() : startAt) || undefined }, how);

function setFrames(list) {
  frames = list;
  $("#scrubber").attr("max", Math.max(1, frames.length - 1)).val(0);
  $(".scrub").find("button, input").prop("disabled", frames.length === 0);
  const places = Array.from({ length: STRIP_FRAMES }, (_, i) => Math.round((i * (frames.length - 1)) / (STRIP_FRAMES - 1)));
  $("#strip").empty().append(places.map((place) => {
    const $cell = $("<span>").addClass("film__frame");
    if (frames[place]) $cell.append($("<img>").attr({ src: frames[place].image, alt: "", "data-place": place }));
    return $cell;
  }).flatMap(($cell) => $cell.get()));
  see(0);
}

/** Show one frame. */
function see(place) {
  const index = Math.min(frames.length - 1, Math.max(0, place));
  const frame = frames[index];
  $("#frame").prop("hidden", !frame);
  $("#frame-number").text(frame ? `${index + 1} of ${frames.length}` : "No frames yet");
  if (!frame) return;
  const share = `${Math.round(100 * frame.lambda)} % of the way from A to B`;
  $("#frame").attr({ src: frame.image, alt: `Car ${share}` });
  $("#scrubber").val(index).attr("aria-valuetext", share);
}

function pause() {
  clearInterval(playing);
  playing = 0;
  showPlaying();
}

function play() {
  let step = at() === frames.length - 1 ? -1 : 1;
  playing = setInterval(() => {
    if (at() + step < 0 || at() + step >= frames.length) step = -step;
    see(at() + step);
  }, FRAME_MS);
  showPlaying();
}

function showPlaying() {
  $("#play").attr("aria-label", playing ? "Pause" : "Play").find("use").attr("href", playing ? "#i-pause" : "#i-play");
}

function moveTo(place) {
  pause();
  see(place);
  address({ replace: true });
}

function download(form) {
  const name = `carvae-morph-${method()}`;
  if (form === "mix") return go("mix", { car: latentReference(latentAt(frames[at()].lambda)) });
  if (form === "frame") return toPng(frames[at()].image).then((blob) => save(blob, `${name}-${at() + 1}`));
  if (form === "copy") {
    return copy(frames[at()].image).then(
      () => tell("Copied the frame."),
      () => tell("The browser did not allow copying. Download the frame instead."),
    );
  }
  return job("download", "Making the file", async (context) => {
    const headers = { Accept: form, "Content-Type": "application/json" };
    const answer = await request(`/interpolate?${new URLSearchParams(way())}`, { method: "POST", headers, body: JSON.stringify(ends()), ...context });
    save(await answer.blob(), name);
  });
}

/** The latent of a frame, by the server's own formulas. */
function latentAt(share) {
  const length = (z) => Math.hypot(...z);
  const [a, b] = latents;
  const straight = a.map((z, i) => z + share * (b[i] - z));
  const cosine = a.reduce((sum, z, i) => sum + z * b[i], 0) / (length(a) * length(b));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (method() === "lerp" || !(Math.sin(angle) > 1e-4)) return straight;
  const long = (1 - share) * length(a) + share * length(b);
  const parts = [Math.sin((1 - share) * angle) / length(a), Math.sin(share * angle) / length(b)];
  return a.map((z, i) => (long * (parts[0] * z + parts[1] * b[i])) / Math.sin(angle));
}

/** Put a picture file into a slot; without one named, into the free one. */
export function fillSlot(file, slot = picked.a && !picked.b ? "b" : "a") {
  return job(`slot-${slot}`, `Reading the picture for ${slot.toUpperCase()}`, async (context) => {
    const { car } = await encode(file, "Your car", context);
    pick(slot, car);
  });
}

function randomSlot(slot) {
  return job(`slot-${slot}`, `Drawing a car for ${slot.toUpperCase()}`, async (context) => {
    const seed = freshSeed();
    const { cars } = await requestJson(pictured("/random", { count: 1, seed }), context);
    pick(slot, seededCar(seed, 1, cars[0]));
  });
}

function showSlots() {
  for (const slot of ["a", "b"]) {
    const car = picked[slot];
    const $slot = $(`.slot--${slot}`).toggleClass(`is-${slot}`, Boolean(car));
    $slot.find("img").prop("hidden", !car).attr({ src: car?.image ?? null, alt: car ? `${slot.toUpperCase()}: ${car.name}` : "" });
    $slot.find(".mount__number").text(car?.name ?? `Choose ${slot.toUpperCase()}`);
  }
}

for (const slot of ["a", "b"]) {
  const $slot = $(`.slot--${slot}`).append(stamp("slot"));
  const name = slot.toUpperCase();
  $slot.find(".slot__letter").text(name);
  $slot.find(".pencil").addClass(`pencil--${slot}`).find("use").attr("href", `#pencil-${slot}`);
  $slot.find("[data-slot-do=photo]").attr("aria-label", `Photograph for ${name}`).on("click", () => $slot.find("[type=file]").trigger("click"));
  $slot.find("[data-slot-do=random]").attr("aria-label", `Random car for ${name}`).on("click", () => randomSlot(slot));
  $slot.find("[type=file]").on("change", (event) => {
    const file = firstPicture(event.target);
    event.target.value = "";
    if (file) fillSlot(file, slot);
  });
}

$(document).on("picked", () => { showSlots(); morph(); });
$("#morph-form").on("submit", (event) => event.preventDefault()).on("change", (event) => {
  if (event.currentTarget.reportValidity()) morph();
});
$("#morph-random").on("click", twoNewCars);
$("#morph-swap").on("click", () => {
  [picked.a, picked.b] = [picked.b, picked.a];
  $(document).trigger("picked");
});
$("#scrubber").on("input", () => { pause(); see(at()); }).on("change", () => address({ replace: true }));
$("#step-back").on("click", () => moveTo(at() - 1));
$("#step-forward").on("click", () => moveTo(at() + 1));
$("#play").on("click", () => (playing ? pause() : play()));
$("#strip").on("click", "img", (event) => moveTo(Number(event.currentTarget.dataset.place)));
$("#morph-downloads").on("click", "[data-form]", (event) => download(event.currentTarget.dataset.form));
setFrames([]);
showSlots();
