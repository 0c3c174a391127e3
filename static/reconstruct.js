/**
 * A photograph and what the network makes of it.
 *
 * @import { Context } from "./api.js"
 * @import { Call } from "./snippets.js"
 * @import { Car, ReconstructState } from "./state.js"
 * @typedef {{original: string, width: number, height: number, psnr: number, latent: number[],
 *   plausibility?: {car: boolean}}} Answer  of `/reconstruct`
 * @typedef {{car: Car, answer?: Answer, uploaded?: string, file?: {name: string, type: string}}} Result  `uploaded` is the
 *   picture that was sent, a data URL; `file` is the visitor's own
 */

import { pictured, requestJson } from "./api.js";
import { actions, blank, latentCar, mount, resolve } from "./cars.js";
import { job, say, tell } from "./notes.js";
import { carCall } from "./snippets.js";
import { card, firstPicture, save, shrink, toDataUrl, withoutBars } from "./pictures.js";
import { change } from "./state.js";

const EXAMPLES = { count: 6, seed: 128, temperature: 0.9 };

const NO_CAR = "This does not look like a car. The network knows only cars, so it drew the nearest one.";

const STORED = "carvae.photograph"; // the last result, in this tab only: it survives a reload

/** Results of this visit by reference, so that back and forward find them. @type {Map<string, Result>} */
const seen = new Map();
let shown = ""; // reference of the result that is there
/** @type {Result | undefined} */
let presented;

/** @param {Readonly<ReconstructState>} state */
export function render({ z }) {
  if (!$("#examples").children().length) examples();
  if (!z || z === shown) return undefined;
  const result = seen.get(z) ?? stored(z);
  if (result) return present(result);
  return job("reconstruct", "Drawing the car of this link", async (context) => {
    const car = await resolve(z, context);
    if (car) present({ car });
    else tell("This link is damaged: the numbers of its car are incomplete.");
  });
}

/** Send one picture up and show both. @param {Blob} file @param {string} [name] */
export function reconstruct(file, name = "Your car") {
  return job("reconstruct", "Drawing your car from memory", async (context) => {
    const $result = $("#result").addClass("is-waiting");
    const result = await encode(file, name, context).finally(() => {
      if (context.signal.reason !== "newer") $result.removeClass("is-waiting");
    });
    seen.set(result.car.ref, result);
    store(result);
    shown = ""; // another photograph may have the same latent
    change("reconstruct", { z: result.car.ref });
    if (matchMedia("(max-width: 59rem)").matches) $result[0].scrollIntoView();
  });
}

/**
 * What the network makes of a picture file: the answer of the API and the car in it.
 * @param {Blob} file
 * @param {string} name
 * @param {Context} context
 * @returns {Promise<Result>}
 */
export async function encode(file, name, context) {
  const body = new FormData(); // needs no CORS preflight, which image/* would
  const sent = await shrink(file);
  body.append("image", sent, "car");
  const answer = await requestJson("/reconstruct", { method: "POST", body, ...context });
  const readable = await createImageBitmap(sent).then(() => true, () => false); // the server reads more formats
  const own = file instanceof File ? { file: { name: file.name, type: file.type } } : {};
  return { ...own, answer, uploaded: readable ? await toDataUrl(sent) : answer.original, car: latentCar(answer.latent, answer.reconstruction, name) };
}

/** @param {Result} result */
function store(result) {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(result));
  } catch { /* full, or switched off: a reload then shows what the link alone holds */ }
}

/** The result that a reload interrupted. @param {string} ref @returns {Result | undefined} */
function stored(ref) {
  try {
    const result = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
    return result?.car?.ref === ref && /^data:image\//.test(result.uploaded) ? result : undefined;
  } catch {
    return undefined; // switched off, or written by something else
  }
}

/** The three stages of a photograph, as small pictures. @param {Result} result */
function stages({ car, answer, uploaded }) {
  if (!answer) return [];
  const seenAt = `${Math.max(answer.width, answer.height)} pixels, as the network saw it`;
  return [[uploaded, "As uploaded"], [answer.original, seenAt], [car.image, `From ${answer.latent.length} numbers`]].flatMap(
    ([src, text]) => $("<li>").append($("<img>").attr({ src, alt: "" }), $("<span>").text(text ?? "")).get(),
  );
}

/** The request for the reconstruction that is there. @returns {Call | null} */
export function call() {
  if (!presented) return null;
  const { file, car } = presented;
  return file ? { path: "/reconstruct", file } : carCall(car.ref, car.latent);
}

/** @param {Result} result */
function present(result) {
  const { car, answer, uploaded, file } = presented = result;
  const latent = car.latent ?? [];
  shown = car.ref;
  $("#result").addClass("is-full").toggleClass("is-alone", !answer);
  $("#result-buttons").empty().append(actions(car));
  $(".compare__after").attr({ src: car.image, alt: `${car.name} as the network draws it` });
  $(".compare__before").attr({ src: answer?.original ?? car.image, alt: answer ? `${car.name} as photographed` : "" });
  $("#before-after").prop("hidden", !answer).off("click").on("click", async () => save(await card([
    { url: uploaded ?? car.image, text: "The photograph" },
    { url: car.image, text: `Drawn from ${latent.length} numbers` },
  ]), "carvae-before-after"));
  $("#stages").empty().append(stages({ car, answer, uploaded }));
  split(50);
  const facts = answer ? measured(answer, Boolean(file)) : [["Made from", `${latent.length} numbers in the link; the photograph is not part of it`]];
  $("#spec").empty().append(facts.flatMap(([term, fact]) => [$("<dt>").text(term), $("<dd>").text(fact)]));
  barcode(latent);
  $("#compare")[0].style.setProperty("--shape", String(answer ? answer.width / answer.height : 1));
  say(answer ? `Reconstructed with a PSNR of ${answer.psnr.toFixed(1)} decibels` : `${car.name} is drawn`);
}

/** @param {Answer} answer @param {boolean} judged  whether it is to be told if it is of a car @returns {[string, string][]} */
function measured({ psnr, width, height, latent, plausibility }, judged) {
  const values = width * height * 3;
  const known = judged && plausibility;
  const likeness = psnr < 19 ? "a rough sketch" : psnr < 23 ? "a fair likeness" : "a close likeness";
  return [
    ...(known ? [/** @type {[string, string]} */ (["Verdict", plausibility.car ? "This looks like a car." : NO_CAR])] : []),
    ["Likeness", `${psnr.toFixed(1)} dB PSNR${known && !plausibility.car ? "" : `, ${likeness}`}`],
    ["Seen at", `${width} × ${height} pixels, ${values.toLocaleString("en")} values`],
    ["Kept", `${latent.length} numbers, one for every ${Math.round(values / latent.length)} values`],
  ];
}

/** The latent as bars from the middle line: up for positive, down for negative. @param {number[]} latent */
function barcode(latent) {
  const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("barcode"));
  const most = latent.map(Math.abs).sort((a, b) => a - b)[Math.floor(latent.length * 0.98)] || 1; // a few stick out
  const middle = canvas.height / 2;
  canvas.width = latent.length;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  latent.forEach((z, x) => {
    pen.fillStyle = z > 0 ? "#c4161c" : "#1350b5";
    pen.fillRect(x, middle, 1, -(z / most) * middle);
  });
  $(canvas).attr("aria-label", `The ${latent.length} latent numbers as bars`);
}

async function examples() {
  $("#examples").append(Array.from({ length: EXAMPLES.count }, blank));
  const done = await job("examples", "Drawing examples", async (context) => {
    const answer = await requestJson(pictured("/random", EXAMPLES), context);
    $("#examples").empty().append(answer.cars.map(example));
  });
  if (!done) $("#examples").empty();
}

/** A car of the network's own, which a click reconstructs. @param {{image: string, index: number}} car */
function example({ image, index }) {
  const name = `Example ${index + 1}`;
  const $mount = mount({ ref: "", image, name, number: "" });
  $mount.removeAttr("data-ref").find(".mount__edge, .pencil").remove();
  $mount.find("button").attr("aria-label", `Reconstruct example ${index + 1}`)
    .on("click", async () => reconstruct(await withoutBars(image), name));
  return $mount;
}

/** Draw the line between the two pictures; `percent` of the photograph stays visible. @param {number} percent */
function split(percent) {
  $("#compare")[0].style.setProperty("--split", `${percent}%`);
  $("#compare input").val(percent);
}

/** @param {JQuery.TriggeredEvent} event */
function followPointer({ currentTarget, clientX = 0 }) {
  const box = currentTarget.getBoundingClientRect();
  split(Math.min(100, Math.max(0, (100 * (clientX - box.left)) / box.width)));
}

export function start() {
  $("#compare")
    .on("pointerdown", (event) => {
      event.currentTarget.setPointerCapture(/** @type {PointerEvent} */ (event.originalEvent).pointerId);
      followPointer(event);
    })
    .on("pointermove", (event) => { if (event.buttons) followPointer(event); });
  $("#compare input").on("input", ({ target }) => split(Number(/** @type {HTMLInputElement} */ (target).value)));
  $("#compare-ends").on("click", "[data-split]", ({ currentTarget }) => split(Number(currentTarget.dataset.split)));
  $("#choose").on("click", () => $("#file").trigger("click"));
  $("#camera").on("click", () => $("#file-camera").trigger("click"));
  $("#file, #file-camera").on("change", ({ target }) => {
    const input = /** @type {HTMLInputElement} */ (target);
    const file = firstPicture(input);
    input.value = ""; // so that choosing the same file again is a change
    if (file) reconstruct(file);
  });
}
