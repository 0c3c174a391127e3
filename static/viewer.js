/**
 * One car large, in a dialog, with its neighbours a key away.
 *
 * @import { Car } from "./state.js"
 */

import { actions, large } from "./cars.js";
import { job } from "./notes.js";
import { toPng } from "./pictures.js";

const SIDE = 1024; // pixels that a car is enlarged to, by a better filter than the browser's own

/** @type {Car[]} */
let cars = [];
let at = 0;

let enlarged = ""; // address of the picture that is there

/** Put a car's picture there, enlarged. @param {string} url */
async function enlarge(url) {
  const made = URL.createObjectURL(await toPng(url, SIDE));
  $("#viewer-image").attr("src", made);
  URL.revokeObjectURL(enlarged);
  enlarged = made;
}

/** @param {number} index  one past either end is the other end */
function show(index) {
  at = (index + cars.length) % cars.length;
  const car = cars[at];
  $("#viewer-title").text(car.name);
  $("#viewer-image").attr({ src: car.image, alt: `${car.name}, drawn by the network` });
  job("viewer", "Drawing it large", async (context) => {
    const { image } = await large(car, context);
    context.signal.throwIfAborted();
    await enlarge(image);
  });
  $("#viewer-actions").empty().append(actions(car));
  $("#viewer-back, #viewer-forward").prop("hidden", cars.length < 2);
}

/** Put the focus on a car's mount, where it is still there, else on the view's title. @param {string} ref */
function focusCar(ref) {
  const $mount = $("main [data-ref]:visible").filter((_, mount) => mount.dataset.ref === ref);
  ($mount.find("button.mount__window")[0] ?? $("main h1:visible")[0]).focus({ preventScroll: true });
}

export function start() {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("viewer"));
  $(document).on("click", "[data-ref] > button.mount__window", ({ currentTarget }) => {
    const $mount = $(currentTarget).closest(".mount");
    const $mounts = $mount.parent().children("[data-ref]");
    cars = $mounts.get().map((element) => $(element).data("car"));
    show($mounts.index($mount));
    dialog.showModal();
    $("#notes").appendTo(dialog); // all else is out of reach while it is open
  });
  $(dialog).on("close", () => {
    $("#notes").appendTo("body");
    // The browser gives the focus back to what opened it, where that is still there.
    const focused = document.activeElement;
    if (focused === document.body || dialog.contains(focused)) focusCar(cars[at].ref);
  });
  $("#viewer-close").on("click", () => dialog.close());
  $("#viewer-back").on("click", () => show(at - 1));
  $("#viewer-forward").on("click", () => show(at + 1));
  $(window).on("hashchange", () => dialog.close());
  $(dialog).on("click", (event) => { if (event.target === dialog) dialog.close(); });
  $(dialog).on("keydown", ({ key }) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key ?? ""];
    if (step && cars.length > 1) show(at + step);
  });
}
