/** The page: which view is open, what arrives from outside, how the model is. */

import { address } from "./api.js";
import { mount } from "./cars.js";
import { isOther, meet, read } from "./links.js";
import { quiet, tell } from "./notes.js";
import { firstPicture } from "./pictures.js";
import * as random from "./random.js";
import { kept } from "./shelf.js";
import "./viewer.js";

const $ = window.jQuery;
const HEALTH_PAUSE_MS = 3000;
const HEALTH_TRIES = 20;
/** The first view comes with the page; the others once the view that is open has its cars, or when they are opened. */
const VIEWS = {
  random: async () => random,
  reconstruct: () => import("./reconstruct.js"),
  morph: () => import("./morph.js"),
  mix: () => import("./mix.js"),
};

let open = "";
let shown; // the open view's module, once it is there
let linkModel = ""; // what the open link was made with

async function route() {
  const { view, params, model } = read();
  if (open && view !== open) leave();
  document.documentElement.dataset.view = view;
  $(".tab").each((_, tab) => { $(tab).attr("aria-current", tab.dataset.view === view ? "page" : null); });
  const title = $(`#view-${view} h1`);
  document.title = `${title.text()} · carvae`;
  if (open && view !== open) {
    title[0].focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  open = view;
  linkModel = model;
  compareModels();
  const module = await load(view).catch(missing);
  if (!module || open !== view) return; // gone on meanwhile
  shown = module;
  await shown.show(params);
  Object.keys(VIEWS).forEach((name) => load(name).catch(() => {}));
}

function leave() {
  shown?.hide?.();
  shown = undefined;
  quiet();
}

async function load(view) {
  const module = await VIEWS[view]();
  $(`#view-${view} > .table`).prop("inert", false);
  return module;
}

const missing = () => tell("This part of the page did not arrive. Check the connection, then reload the page.", { lasting: true });

function showShelf() {
  const cars = kept();
  $("#shelf").prop("hidden", cars.length === 0);
  $("#shelf-cars").empty().append(cars.flatMap((car) => mount({ ...car, number: car.name }).get()));
}

/** A picture dropped or pasted anywhere goes to the view that can use it. */
async function take(file, target) {
  const slot = $(target).closest("[data-slot]").data("slot");
  const view = open === "morph" ? "morph" : "reconstruct";
  if (open !== view) location.hash = `#${view}`;
  const module = await load(view).catch(missing);
  if (view === "morph") return module?.fillSlot(file, slot);
  return module?.reconstruct(file);
}

async function watchHealth(tries = HEALTH_TRIES) {
  const health = await fetch(address("/health")).then((answer) => answer.json()).catch(() => ({}));
  const texts = {
    ready: () => `Model ${health.model.version}`,
    degraded: () => `Model ${health.model.version}`,
    loading: () => "The model is loading",
    unavailable: () => "No model to draw with",
  };
  $(".lamp").attr("data-state", health.status ?? "unknown");
  $(".lamp__text").text((texts[health.status] ?? (() => "The server does not answer"))());
  if (health.model) $(".latent-dim").text(health.model.latent_dim);
  if (!health.model && tries > 1) setTimeout(() => watchHealth(tries - 1), HEALTH_PAUSE_MS);
}

/** A link may come from before the model was changed: its numbers then mean other cars. */
function compareModels() {
  if (!isOther(linkModel)) return;
  tell(`This link was made with model ${linkModel}. The present one draws other cars from it.`, { lasting: true });
  linkModel = "";
}

$(window).on("hashchange", route);
$(document).on("model", (event, version) => {
  meet(version);
  compareModels();
});
$(window).on("storage", showShelf);
$(window).on("offline", () => tell("You are offline. What is on the table stays; new cars need the connection."));
$(window).on("online", () => { tell("You are online again."); watchHealth(1); });
$(document).on("shelf", showShelf);
$(document).on("click", "[data-copy-link]", () => navigator.clipboard.writeText(location.href).then(
  () => tell("Copied the link. It brings back exactly this."),
  () => tell("The browser did not allow copying. The link is in the address bar."),
));
$(document).on("click", "[data-skip]", (event) => {
  event.preventDefault();
  $(`#view-${open} h1`).trigger("focus");
});

$(document).on("dragover", (event) => {
  event.preventDefault();
  $("body").addClass("is-dragging");
});
$(document).on("dragleave drop", (event) => {
  event.preventDefault();
  if (event.type === "drop" || !event.relatedTarget) $("body").removeClass("is-dragging");
});
$(document).on("drop", (event) => {
  const file = firstPicture(event.originalEvent.dataTransfer);
  if (file) take(file, event.target);
  else tell("That was not a file. Save the picture first, then drop it here.");
});
$(document).on("paste", (event) => {
  const file = firstPicture(event.originalEvent.clipboardData);
  if (file) take(file, event.target);
});

$("#api-link").attr("href", address("/openapi.json"));
showShelf();
route();
watchHealth();
