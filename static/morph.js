/**
 * The cars between two cars: frames fetched once, then played and scrubbed in the browser.
 *
 * @import { Call } from "./snippets.js"
 * @import { Car, MorphState, Slot } from "./state.js"
 * @typedef {{lambda: number, image: string}} Frame  `lambda` is the share of the way from A to B
 */

import { pictured, request, requestJson } from "./api.js";
import { resolve } from "./cars.js";
import { interpolate } from "./latents.js";
import { format, go, latentReference, parseReference } from "./links.js";
import { job, say, stamp, tell } from "./notes.js";
import { copy, firstPicture, save, toPng } from "./pictures.js";
import { encode } from "./reconstruct.js";
import { change, freshSeed, get, picked, twoCars } from "./state.js";

const FRAME_MS = 90;
const STRIP_FRAMES = 9;
/** @type {Slot[]} */
const SLOTS = ["a", "b"];

/** @type {Frame[]} */
let frames = [];
/** Of A and B, once there are frames. @type {number[][]} */
let latents = [];
let fetching = ""; // references of the ends that are on their way
let shown = ""; // what the frames are made from, also while they are on their way
/** @type {ReturnType<typeof setInterval> | undefined} */
let playing;

/** @param {Readonly<MorphState>} state */
export function render(state) {
  const damaged = SLOTS.filter((slot) => state[slot] && !parseReference(state[slot]));
  if (damaged.length) {
    tell("This link is damaged: one of its cars is missing.", { lasting: true });
    return change("morph", Object.fromEntries(damaged.map((slot) => [slot, ""])), "replace");
  }
  $("#morph-form [name=method]").filter(`[value=${state.method}]`).prop("checked", true);
  $("#morph-steps").val(state.steps);
  SLOTS.forEach(showSlot);
  if (missing().length) {
    stop();
    setFrames([]);
    shown = "";
    return fetching === state.a + state.b ? undefined : fetchEnds();
  }
  const wanted = format("morph", { ...state, at: "" });
  if (wanted === shown) return see(state.at);
  stop();
  setFrames([]);
  shown = wanted;
  return state.a && state.b ? fetchFrames(wanted) : undefined;
}

/** Leave the view. */
export const hide = () => pause();

/** Ends that the state names and that are not there yet. */
const missing = () => SLOTS.filter((slot) => get("morph")[slot] && !picked.car(slot));

function fetchEnds() {
  return job("ends", "Fetching the two cars", async ({ settled, ...context }) => {
    const refs = get("morph");
    fetching = refs.a + refs.b;
    try {
      await settled();
      const slots = missing();
      const cars = await Promise.allSettled(slots.map((slot) => resolve(refs[slot], context)));
      context.signal.throwIfAborted();
      // Another choice, made meanwhile, stands.
      const wanted = slots.filter((slot) => get("morph")[slot] === refs[slot]);
      const found = cars.flatMap((car, i) => (car.status === "fulfilled" && wanted.includes(slots[i]) ? [[slots[i], car.value]] : []));
      if (found.length) picked.set(Object.fromEntries(found), "replace");
      cars.forEach((car) => { if (car.status === "rejected") throw car.reason; });
    } finally {
      if (context.signal.reason !== "newer") fetching = "";
    }
  });
}

/** @param {string} wanted */
function fetchFrames(wanted) {
  return job("morph", `Drawing ${get("morph").steps} frames`, async (context) => {
    shown = wanted;
    try {
      const answer = await requestJson(pictured("/interpolate", way()), { json: ends(), ...context });
      latents = [answer.start.latent, answer.end.latent];
      setFrames(answer.frames);
    } catch (error) {
      if (shown === wanted) shown = "";
      throw error;
    }
    see(get("morph").at);
    say(`${frames.length} frames from A to B`);
  });
}

/** @returns {{steps: number, method: string}} */
const way = () => ({ steps: get("morph").steps, method: get("morph").method });

/** @param {Slot} slot */
function end(slot) {
  const { ref, latent } = /** @type {Car} */ (picked.car(slot));
  return latent && ref.startsWith("z") ? { latent } : parseReference(ref);
}

const ends = () => ({ start: end("a"), end: end("b") });

/** The request for the frames that are there. @returns {Call | null} */
export const call = () => (frames.length ? { path: "/interpolate", query: way(), json: ends() } : null);

/** @param {Frame[]} list */
function setFrames(list) {
  frames = list;
  $(".morph")[0].style.removeProperty("--filled"); // of the frames before
  $("#scrubber").attr("max", Math.max(1, frames.length - 1));
  $(".scrub").find("button, input").add("#morph-like").prop("disabled", frames.length === 0);
  const places = Array.from({ length: STRIP_FRAMES }, (_, i) => Math.round((i * (frames.length - 1)) / (STRIP_FRAMES - 1)));
  $("#strip").empty().append(places.map((place) => {
    const $cell = $("<span>").addClass("film__frame");
    if (frames[place]) $cell.append($("<img>").attr({ src: frames[place].image, alt: "", "data-place": place }));
    return $cell;
  }));
  SLOTS.forEach(showSlot);
  see(0);
}

/** A frame's number, from 0, that there is. @param {number} place */
const within = (place) => Math.min(frames.length - 1, Math.max(0, place));

/** Show one frame. @param {number} place */
function see(place) {
  const index = within(place);
  const frame = frames[index];
  $("#frame").prop("hidden", !frame);
  $("#frame-number").text(frame ? `${index + 1} of ${frames.length}` : "No frames yet");
  if (!frame) return;
  const share = `${Math.round(100 * frame.lambda)} % of the way from A to B`;
  $("#frame").attr({ src: frame.image, alt: `Car ${share}` });
  $("#scrubber").val(index).attr("aria-valuetext", share);
}

function play() {
  let step = within(get("morph").at) === frames.length - 1 ? -1 : 1;
  playing = setInterval(() => {
    const at = within(get("morph").at);
    if (at + step < 0 || at + step >= frames.length) step = -step;
    change("morph", { at: at + step }, "none");
  }, FRAME_MS);
  showPlaying();
}

function stop() {
  clearInterval(playing);
  playing = undefined;
  showPlaying();
}

/** Stop where it is, which the address then says. */
function pause() {
  if (!playing) return;
  stop();
  change("morph", {}, "replace");
}

function showPlaying() {
  $("#play").attr("aria-label", playing ? "Pause" : "Play").find("use").attr("href", playing ? "#i-pause" : "#i-play");
}

/** @param {number} place @param {"replace" | "none"} [address] */
function moveTo(place, address = "replace") {
  stop();
  change("morph", { at: within(place) }, address);
}

/** @param {string} form  a media type, or what to do with the frame that is shown */
function download(form) {
  const { method, at } = get("morph");
  const name = `carvae-morph-${method}`;
  const frame = frames[within(at)];
  if (form === "tune") {
    const [a, b] = latents;
    return go("tune", { car: latentReference(interpolate(a, b, frame.lambda, method)) });
  }
  if (form === "frame") return toPng(frame.image).then((blob) => save(blob, `${name}-${at + 1}`));
  if (form === "copy") {
    return copy(toPng(frame.image)).then(
      () => tell("Copied the frame."),
      () => tell("The browser did not allow copying. Download the frame instead."),
    );
  }
  return job("download", "Making the file", async (context) => {
    const headers = { Accept: form, "Content-Type": "application/json" };
    const query = new URLSearchParams({ method, steps: String(get("morph").steps), back: String(form !== "image/png") });
    const answer = await request(`/interpolate?${query}`, { method: "POST", headers, body: JSON.stringify(ends()), ...context });
    save(await answer.blob(), name);
  });
}

/** The slot that a picture without a place of its own goes to. @returns {Slot} */
const freeSlot = () => (picked.car("a") && !picked.car("b") ? "b" : "a");

/** Put a picture file into a slot; without one named, into the free one. @param {Blob} file @param {Slot} [slot] */
export function fillSlot(file, slot = freeSlot()) {
  return job(`slot-${slot}`, `Reading the picture for ${slot.toUpperCase()}`, async (context) => {
    const { car } = await encode(file, "Your car", context);
    picked.set({ [slot]: car });
  });
}

/** @param {Slot} slot */
function showSlot(slot) {
  const car = picked.car(slot);
  const image = frames.at(slot === "a" ? 0 : -1)?.image ?? car?.image; // a frame is as large as the model draws it
  const $slot = $(`.slot--${slot}`).toggleClass(`is-${slot}`, Boolean(car));
  const alt = car ? `${slot.toUpperCase()}: ${car.name}` : "";
  $slot.find("img").prop("hidden", !car).attr({ src: image ?? null, alt });
  $slot.find(".mount__number").text(car?.name ?? `Choose ${slot.toUpperCase()}`);
}

/** @param {Slot} slot */
function startSlot(slot) {
  const $slot = $(`.slot--${slot}`).append(stamp("slot"));
  const name = slot.toUpperCase();
  $slot.find(".slot__letter").text(name);
  $slot.find(".pencil").addClass(`pencil--${slot}`).find("use").attr("href", `#pencil-${slot}`);
  $slot.find("[data-slot-do=photo]").attr("aria-label", `Photograph for ${name}`).on("click", () => $slot.find("[type=file]").trigger("click"));
  $slot.find("[data-slot-do=random]").attr("aria-label", `Random car for ${name}`)
    .on("click", () => change("morph", { [slot]: `${freshSeed()}.0`, at: 0 }));
  $slot.find("[type=file]").on("change", ({ target }) => {
    const input = /** @type {HTMLInputElement} */ (target);
    const file = firstPicture(input);
    input.value = "";
    if (file) fillSlot(file, slot);
  });
}

export function start() {
  SLOTS.forEach(startSlot);
  $("#morph-form").on("submit", (event) => event.preventDefault()).on("change", ({ currentTarget }) => {
    if (!(/** @type {HTMLFormElement} */ (currentTarget)).reportValidity()) return;
    const steps = Number($("#morph-steps").val());
    const method = String($("#morph-form [name=method]:checked").val());
    change("morph", { method, steps, at: Math.min(get("morph").at, steps - 1) });
  });
  $("#morph-random").on("click", () => change("morph", { ...twoCars(), at: 0 }));
  $("#morph-swap").on("click", () => {
    const { a, b, steps, at } = get("morph");
    change("morph", { a: b, b: a, at: steps - 1 - at }); // the same car stays in view
  });
  $("#morph-like").on("click", () => {
    const { a, b } = get("morph");
    go("random", { like: a, also: b, count: 12 });
  });
  $("#scrubber")
    .on("input", ({ target }) => moveTo(Number(/** @type {HTMLInputElement} */ (target).value), "none"))
    .on("change", () => change("morph", {}, "replace"));
  $("#step-back").on("click", () => moveTo(within(get("morph").at) - 1));
  $("#step-forward").on("click", () => moveTo(within(get("morph").at) + 1));
  $("#play").on("click", () => (playing ? pause() : play()));
  $("#strip").on("click", "img", ({ currentTarget }) => moveTo(Number(currentTarget.dataset.place)));
  $("#morph-downloads").on("click", "[data-form]", ({ currentTarget }) => download(currentTarget.dataset.form));
  setFrames([]);
}
