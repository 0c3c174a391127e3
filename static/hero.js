/** The animation on arrival: one car becoming another and back, until it is paused. */

import { pictured, requestJson } from "./api.js";
import { parseReference } from "./links.js";
import { filled } from "./pictures.js";

const CARS = { start: "11.10", end: "7.58" };
const WAY = { steps: 4, method: "slerp", size: 128 }; // few frames, each faded into the next
const FRAME_MS = 600;
const REST_MS = 1200; // at either end
const TICK_MS = 40;

/** @type {HTMLImageElement[]} */
let frames = [];
let playing = false;
let asked = false;
let time = 0; // ms of the way that have been shown
let last = 0;

const canvas = () => /** @type {HTMLCanvasElement} */ (document.getElementById("hero"));

/** Fetch the frames, once, and play them. A visitor who wants no motion sees the first. */
export async function start() {
  if (asked) return;
  asked = true;
  const json = { start: parseReference(CARS.start), end: parseReference(CARS.end) };
  const answer = await requestJson(pictured("/interpolate", WAY), { json }).catch(() => null);
  if (!answer) return; // the page does without
  frames = await Promise.all(answer.frames.map(async (/** @type {{image: string}} */ { image }) => {
    const picture = new Image();
    picture.src = image;
    await picture.decode();
    return picture;
  }));
  const side = frames[0].naturalWidth;
  [canvas().width, canvas().height] = [side, side];
  canvas().style.setProperty("--filled", String(Math.max(...frames.map(filled))));
  show(0);
  $("#hero-play").on("click", () => setPlaying(!playing)).prop("hidden", false);
  setPlaying(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}

const pen = () => /** @type {CanvasRenderingContext2D} */ (canvas().getContext("2d"));

/** @param {boolean} on */
function setPlaying(on) {
  playing = on;
  $("#hero-play").attr("aria-label", on ? "Pause" : "Play").find("use").attr("href", on ? "#i-pause" : "#i-play");
  last = performance.now();
  if (on) requestAnimationFrame(tick);
}

/** @param {number} now */
function tick(now) {
  if (!playing) return;
  requestAnimationFrame(tick);
  if (now - last < TICK_MS) return;
  if (canvas().offsetParent) show((time += Math.min(now - last, 2 * TICK_MS))); // it waits while another view is open
  last = now;
}

/** @param {number} at  ms since the start */
function show(at) {
  const way = (frames.length - 1) * FRAME_MS;
  const turn = at % (2 * (way + REST_MS));
  const out = turn < way + REST_MS ? turn - REST_MS : way - (turn - way - 2 * REST_MS);
  const place = Math.min(1, Math.max(0, out / way)) * (frames.length - 1);
  const index = Math.min(frames.length - 2, Math.floor(place));
  pen().globalAlpha = 1;
  pen().drawImage(frames[index], 0, 0);
  pen().globalAlpha = place - index;
  pen().drawImage(frames[index + 1], 0, 0);
}
