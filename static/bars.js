/**
 * How it works, to be tried: a car's numbers as bars, which can be pulled, and the car that the decoder makes of them.
 *
 * @import { Car } from "./state.js"
 */

import { pictured, requestJson } from "./api.js";
import { resolve } from "./cars.js";
import { job, say } from "./notes.js";

const CAR = "11.46";
const MOST = 4; // a bar's height; few numbers of photographs are larger
const DIGITS = 100;

/** The car as it was drawn. @type {Car & {latent: number[]} | undefined} */
let origin;
/** Its numbers as they are pulled. @type {number[]} */
let latent = [];
let chosen = 0; // the bar that the sliders are for
let shown = ""; // the numbers that are drawn or on their way
let drawing = false;
/** The bar that the pointer was over last. @type {number | undefined} */
let last;

export async function start() {
  const found = await resolve(CAR, {}).catch(() => null);
  if (!found?.latent) return; // the page does without
  origin = /** @type {Car & {latent: number[]}} */ (found);
  $("#how img").attr("src", origin.image);
  $("#how-try").prop("inert", false);
  $("#how-which").attr("max", origin.latent.length);
  set(origin.latent);
  listen();
}

function listen() {
  const canvas = $("#how-bars");
  canvas.on("pointerdown", (event) => {
    event.currentTarget.setPointerCapture(/** @type {PointerEvent} */ (event.originalEvent).pointerId);
    last = undefined;
    pull(event);
  });
  canvas.on("pointermove", (event) => { if (event.buttons) pull(event); });
  $("#how-which").on("input", ({ target }) => { chosen = Number(/** @type {HTMLInputElement} */ (target).value) - 1; show(); });
  $("#how-value").on("input", ({ target }) => set(latent.with(chosen, Number(/** @type {HTMLInputElement} */ (target).value))));
  $("#how-reset").on("click", () => { if (origin) set(origin.latent); });
}

/** Set the bar under the pointer, and those that it passed since. @param {JQuery.TriggeredEvent} event */
function pull({ currentTarget, clientX = 0, clientY = 0 }) {
  const box = currentTarget.getBoundingClientRect();
  const within = (/** @type {number} */ share) => Math.min(1, Math.max(0, share));
  chosen = Math.min(latent.length - 1, Math.floor(within((clientX - box.left) / box.width) * latent.length));
  const value = Math.round(MOST * (1 - 2 * within((clientY - box.top) / box.height)) * DIGITS) / DIGITS;
  const [from, to] = [Math.min(last ?? chosen, chosen), Math.max(last ?? chosen, chosen)];
  last = chosen;
  set(latent.map((z, i) => (i >= from && i <= to ? value : z)));
}

/** @param {number[]} numbers */
function set(numbers) {
  latent = numbers;
  show();
  draw();
}

function show() {
  const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("how-bars"));
  [canvas.width, canvas.height] = [2 * latent.length, canvas.clientHeight];
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const middle = canvas.height / 2;
  pen.fillStyle = "#ffc62b";
  pen.fillRect(2 * chosen - 4, 0, 10, canvas.height);
  latent.forEach((z, i) => {
    pen.fillStyle = z > 0 ? "#c4161c" : "#1350b5";
    pen.fillRect(2 * i, middle, 2, -Math.max(-1, Math.min(1, z / MOST)) * middle);
  });
  const value = latent[chosen].toFixed(1).replace("-", "−");
  $("#how-which").val(chosen + 1);
  $("#how-value").val(latent[chosen]);
  $("#how-which-text").text(chosen + 1);
  $("#how-value-text").text(value);
  $("#how-reset").prop("disabled", latent === origin?.latent);
}

/** Draw until the bars rest. One request at a time: what is pulled meanwhile is asked for once. */
function draw() {
  if (drawing || shown === String(latent)) return;
  job("bars", "Drawing the car of these numbers", async (context) => {
    drawing = true;
    try {
      while (shown !== String(latent)) {
        shown = String(latent);
        const asked = latent;
        const image = asked === origin?.latent ? origin.image
          : (await requestJson(pictured("/decode"), { json: { latents: [asked] }, ...context })).images[0];
        $("#how-after").attr({ src: image, alt: asked === origin?.latent ? "The same car" : "The car of the pulled bars" });
      }
      say("The car of these numbers is drawn");
    } catch (error) {
      shown = "";
      throw error;
    } finally {
      drawing = false;
    }
  });
}
