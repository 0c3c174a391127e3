/**
 * The page: which view is open, what arrives from outside, how the model is.
 *
 * @import { Call } from "./snippets.js"
 * @import { Slot, States, View } from "./state.js"
 */

import { address } from "./api.js";
import { mount, showMarks, start as startCars } from "./cars.js";
import { VIEWS, isOther, link, meet, read, write } from "./links.js";
import { quiet, tell } from "./notes.js";
import { firstPicture, measureBars } from "./pictures.js";
import * as random from "./random.js";
import { share, sharesByItself } from "./share.js";
import { kept } from "./shelf.js";
import { enter, get, subscribe, toParams } from "./state.js";
import { start as startViewer } from "./viewer.js";

const HEALTH_PAUSE_MS = 3000;
const HEALTH_TRIES = 20;

/**
 * A view's module: `start` is called once, before anything else; `render` shows a state, and is called again for every
 * change; `call` is the request behind what is shown, null where nothing is; `hide` is called when another view opens.
 * @template {View} V
 * @typedef {{start: () => void, render: (state: Readonly<States[V]>) => unknown, call: () => Call | null, hide?: () => void}} Module
 */

/** The first view comes with the page; the others at the first movement, or when they are opened. */
const MODULES = {
  random: async () => random,
  reconstruct: () => import("./reconstruct.js"),
  morph: () => import("./morph.js"),
  tune: () => import("./tune.js"),
  map: () => import("./map.js"),
};

/** @type {View | ""} */
let open = "";
/** The open view's module, once it is there. @type {Module<any> | undefined} */
let shown;
let linkModel = ""; // what the open link was made with
let galleryStarted = false;
/** @type {Set<View>} */
const started = new Set();

async function route() {
  const { view, params, model } = read();
  if (open && view !== open) leave();
  document.documentElement.dataset.view = view;
  $(".tab").each((_, tab) => { $(tab).attr("aria-current", tab.dataset.view === view ? "page" : null); });
  const $title = $(`#view-${view} h1`);
  document.title = `${$title.text()} · carvae`;
  if (open && view !== open) {
    $title[0].focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  open = view;
  linkModel = model;
  compareModels();
  enter(view, params);
  const module = await load(view).catch(missing);
  if (!module || open !== view) return; // another view was opened meanwhile
  shown = module;
  showCall();
  await module.render(get(view));
  showCall();
  if (view === "random") import("./hero.js").then((hero) => hero.start(), () => {}); // after the cars: it is no part of them
}

function leave() {
  shown?.hide?.();
  shown = undefined;
  quiet();
}

/** Keep the code of the open panel true to what is on the screen. */
async function showCall() {
  if (!$("#api").prop("open")) return;
  const panel = await import("./api-panel.js").catch(missing);
  panel?.show(shown?.call() ?? null);
}

/**
 * @template {View} V
 * @param {V} view
 * @returns {Promise<(typeof MODULES)[V] extends () => Promise<infer M> ? M & Module<any> : never>}
 */
async function load(view) {
  const module = /** @type {any} */ (await MODULES[view]());
  if (!started.has(view)) module.start();
  started.add(view);
  $(`#view-${view} > .table, #view-${view} > .head [inert]`).prop("inert", false);
  return module;
}

const missing = () => tell("This part of the page did not arrive. Check the connection, then reload the page.", { lasting: true });

function showShelf() {
  const cars = kept();
  const $shelf = $("#shelf-cars");
  const focused = $shelf.children().get().findIndex((each) => each.contains(document.activeElement));
  $("#shelf").prop("hidden", cars.length === 0);
  $shelf.empty().append(cars.map((car) => mount({ ...car, number: car.name })));
  if (focused < 0) return;
  // The focus was on a car that has gone, or is another element now: it goes on to the car that took its place.
  const $next = $shelf.children().eq(Math.min(focused, cars.length - 1)).find("[data-do=keep]");
  (cars.length ? $next[0] : $(`#view-${open} h1`)[0]).focus({ preventScroll: true });
}

/** @param {View} view */
const showTab = (view) => $(`.tab[data-view=${view}]`).attr("href", link(view, toParams(view)));

/** A picture dropped or pasted anywhere goes to the view that can use it. @param {File} file @param {EventTarget} target */
async function take(file, target) {
  if (open !== "morph") {
    if (open !== "reconstruct") location.hash = "#reconstruct";
    return (await load("reconstruct").catch(missing))?.reconstruct(file);
  }
  /** @type {Slot | undefined} */
  const slot = $(/** @type {HTMLElement} */ (target)).closest("[data-slot]").data("slot");
  return (await load("morph").catch(missing))?.fillSlot(file, slot);
}

async function watchHealth(tries = HEALTH_TRIES) {
  const health = await fetch(address("/health")).then((answer) => answer.json()).catch(() => ({}));
  /** @type {Record<string, () => string>} */
  const texts = {
    ready: () => "Ready",
    degraded: () => "Busy",
    loading: () => "The model is loading",
    unavailable: () => "No model to draw with",
  };
  $(".lamp").attr("data-state", health.status ?? "unknown");
  $(".lamp__text").text((texts[health.status] ?? (() => "The server does not answer"))());
  if (health.model) $(".latent-dim").text(health.model.latent_dim);
  if (health.model) $(".version").text(`Model ${health.model.version}`);
  if (health.model && !galleryStarted) import("./gallery.js").then((gallery) => gallery.start(health.model.version), () => {});
  galleryStarted ||= Boolean(health.model);
  if (!health.model && tries > 1) setTimeout(() => watchHealth(tries - 1), HEALTH_PAUSE_MS);
}

/** The bars of How it works come once their place is in view. */
function watchBars() {
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    watcher.disconnect();
    import("./bars.js").then((bars) => bars.start(), () => {});
  });
  watcher.observe(/** @type {HTMLElement} */ (document.getElementById("how-try")));
}

/** A link may come from before the model was changed: its numbers then mean other cars. */
function compareModels() {
  if (!isOther(linkModel)) return;
  tell(`This link was made with model ${linkModel}. The current model draws other cars.`, { lasting: true });
  linkModel = "";
}

function start() {
  startCars();
  startViewer();
  subscribe((view, how) => {
    if (view === open) write(view, toParams(view), how);
    showTab(view);
    if (view === "morph") {
      const { a, b } = get("morph");
      showMarks();
      $(".pick--a").toggleClass("is-on", Boolean(a));
      $(".pick--b").toggleClass("is-on", Boolean(b));
    }
    if (view === open) Promise.resolve(shown?.render(get(view))).then(showCall);
  });

  document.addEventListener("load", ({ target }) => {
    if (target instanceof HTMLImageElement) measureBars(target);
  }, true);
  $(window).on("hashchange", route);
  $(document).on("model", (_, /** @type {string} */ version) => {
    meet(version);
    if (open) showTab(open);
    compareModels();
  });
  $(window).on("storage", showShelf);
  $(window).on("offline", () => tell("You are offline. What is on the table stays; new cars need the connection."));
  $(window).on("online", () => { tell("You are online again."); watchHealth(1); });
  $(document).on("shelf", () => { showShelf(); showMarks(); });
  $(document).on("click", "[data-copy-link]", () => share(location.href, document.title));
  if (sharesByItself()) $("[data-copy-link]").find("span").text("Share");
  // The other views' modules come at a visitor's first movement: a first load goes without them.
  $(document).one("pointermove pointerdown keydown", () => VIEWS.forEach((name) => load(name).catch(() => {})));
  $(document).on("click", "[data-upload]", async () => {
    location.hash = "#reconstruct";
    await load("reconstruct").catch(missing);
    $("#file").trigger("click");
  });
  $(document).on("click", "[data-skip]", (event) => {
    event.preventDefault();
    $(`#view-${open} h1`).trigger("focus");
  });

  $(document).on("keydown", ({ key, target, originalEvent }) => {
    const { ctrlKey, metaKey, altKey } = /** @type {KeyboardEvent} */ (originalEvent);
    if (key !== " " || ctrlKey || metaKey || altKey || open !== "random" || !$(target).is("body")) return;
    originalEvent?.preventDefault();
    $("#random-new").trigger("click");
  });

  $(document).on("dragover", (event) => {
    event.preventDefault();
    $("body").addClass("is-dragging");
  });
  $(document).on("dragleave drop", (event) => {
    event.preventDefault();
    if (event.type === "drop" || !(/** @type {DragEvent} */ (event.originalEvent).relatedTarget)) $("body").removeClass("is-dragging");
  });
  $(document).on("drop", ({ originalEvent, target }) => {
    const file = firstPicture(/** @type {DragEvent} */ (originalEvent).dataTransfer);
    if (file) take(file, target);
    else tell("That was not a file. Save the picture first, then drop it here.");
  });
  $(document).on("paste", ({ originalEvent, target }) => {
    const file = firstPicture(/** @type {ClipboardEvent} */ (originalEvent).clipboardData);
    if (file) take(file, target);
  });

  $("#api").on("toggle", showCall);
  showShelf();
  route();
  watchHealth();
  watchBars();
}

if (globalThis.document) start();
