/** One car large, in a dialog, with its neighbours a key away. */

import { actions } from "./cars.js";

const $ = window.jQuery;
const dialog = document.getElementById("viewer");
let cars = [];
let at = 0;

function show(index) {
  at = (index + cars.length) % cars.length;
  const car = cars[at];
  $("#viewer-title").text(car.name);
  $("#viewer-image").attr({ src: car.image, alt: `${car.name}, drawn by the network` });
  $("#viewer-actions").empty().append(actions(car));
  $("#viewer-back, #viewer-forward").prop("hidden", cars.length < 2);
}

$(document).on("click", "[data-ref] > button.mount__window", (event) => {
  const $mount = $(event.currentTarget).closest(".mount");
  const $mounts = $mount.parent().children("[data-ref]");
  cars = $mounts.get().map((element) => $(element).data("car"));
  show($mounts.index($mount));
  dialog.showModal();
});
$("#viewer-close").on("click", () => dialog.close());
$("#viewer-back").on("click", () => show(at - 1));
$("#viewer-forward").on("click", () => show(at + 1));
$(window).on("hashchange", () => dialog.close());
$(dialog).on("click", (event) => { if (event.target === dialog) dialog.close(); });
$(dialog).on("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && cars.length > 1) show(at + step);
});
