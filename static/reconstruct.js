/** A photograph and what the network makes of it. */

import { pictured, requestJson } from "./api.js";
import { actions, blank, latentCar, mount, resolve } from "./cars.js";
import { write } from "./links.js";
import { job, say, tell } from "./notes.js";
import { firstPicture, shrink, withoutBars } from "./pictures.js";

const $ = window.jQuery;
const EXAMPLES = { count: 6, seed: 128, temperature: 0.9 };

const seen = new Map(); // results of this visit by reference, so that back and forward find them
let onTable = "";

export function show({ z }) {
  if (!$("#examples").children().length) examples();
  if (!z && onTable) return write("reconstruct", { z: onTable });
  if (!z || z === onTable) return undefined;
  if (seen.has(z)) return present(seen.get(z));
  return job("reconstruct", "Drawing the car of this link", async (context) => {
    const car = await resolve(z, context);
    if (car) present({ car });
    else tell("This link is damaged: the numbers of its car are incomplete.");
  });
}

/** Send one picture up and show both. */
export function reconstruct(file, name = "Your car") {
  return job("reconstruct", "Drawing your car from memory", async (context) => {
    const $result = $("#result").addClass("is-waiting");
    const result = await encode(file, name, context).finally(() => {
      if (context.signal.reason !== "newer") $result.removeClass("is-waiting");
    });
    seen.set(result.car.ref, result);
    write("reconstruct", { z: result.car.ref });
    present(result);
    if (matchMedia("(max-width: 59rem)").matches) document.getElementById("result").scrollIntoView();
  });
}

/** What the network makes of a picture file: the answer of the API and the car in it. */
export async function encode(file, name, context) {
  const body = new FormData(); // needs no question ahead across origins, as image/* would
  body.append("image", await shrink(file), "car");
  const answer = await requestJson("/reconstruct", { method: "POST", body, ...context });
  return { answer, car: latentCar(answer.latent, answer.reconstruction, name) };
}

function present({ car, answer }) {
  onTable = car.ref;
  $("#result").addClass("is-full").toggleClass("is-alone", !answer);
  $("#result-deeds").empty().append(actions(car));
  $(".compare__after").attr({ src: car.image, alt: `${car.name} as the network draws it` });
  $(".compare__before").attr({ src: answer?.original ?? car.image, alt: answer ? `${car.name} as photographed` : "" });
  split(50);
  const facts = answer ? measured(answer) : [["Made from", `${car.latent.length} numbers in the link; the photograph is not part of it`]];
  $("#spec").empty().append(facts.flatMap(([term, fact]) => [$("<dt>").text(term), $("<dd>").text(fact)]));
  barcode(car.latent);
  document.getElementById("compare").style.setProperty("--shape", answer ? answer.width / answer.height : 1);
  say(answer ? `Reconstructed with a PSNR of ${answer.psnr.toFixed(1)} decibels` : `${car.name} is drawn`);
}

function measured({ psnr, width, height, latent }) {
  const values = width * height * 3;
  return [
    ["Likeness", `${psnr.toFixed(1)} dB PSNR, ${psnr < 19 ? "a rough sketch" : psnr < 23 ? "a fair likeness" : "a close likeness"}`],
    ["Seen at", `${width} × ${height} pixels, ${values.toLocaleString("en")} values`],
    ["Kept", `${latent.length} numbers, one for every ${Math.round(values / latent.length)} values`],
  ];
}

/** The latent as bars from the middle line: up for positive, down for negative. */
function barcode(latent) {
  const canvas = document.getElementById("barcode");
  const most = latent.map(Math.abs).sort((a, b) => a - b)[Math.floor(latent.length * 0.98)] || 1; // a few stick out
  const middle = canvas.height / 2;
  canvas.width = latent.length;
  const pen = canvas.getContext("2d");
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
    $("#examples").empty().append(answer.cars.map(({ image, index }) => {
      const $mount = mount({ ref: `example ${index}`, image, name: `Example ${index + 1}`, number: "" });
      const label = `Reconstruct example ${index + 1}`;
      $mount.removeAttr("data-ref").find(".mount__edge, .pencil").remove();
      $mount.find("button").attr("aria-label", label)
        .on("click", async () => reconstruct(await withoutBars(image), `Example ${index + 1}`));
      return $mount;
    }).flatMap(($mount) => $mount.get()));
  });
  if (!done) $("#examples").empty();
}

/** Draw the line between the two pictures; `percent` of the photograph stays visible. */
function split(percent) {
  const compare = document.getElementById("compare");
  compare.style.setProperty("--split", `${percent}%`);
  $(compare).find("input").val(percent);
}

const followPointer = (event) => {
  const box = event.currentTarget.getBoundingClientRect();
  split(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
};
$("#compare")
  .on("pointerdown", (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    followPointer(event);
  })
  .on("pointermove", (event) => { if (event.buttons) followPointer(event); });
$("#compare input").on("input", (event) => split(event.target.value));
$("#compare-ends").on("click", "[data-split]", (event) => split(event.currentTarget.dataset.split));

$("#choose").on("click", () => $("#file").trigger("click"));
$("#camera").on("click", () => $("#file-camera").trigger("click"));
$("#file, #file-camera").on("change", (event) => {
  const file = firstPicture(event.target);
  event.target.value = ""; // the same file again is news again
  if (file) reconstruct(file);
});
