/**
 * The neighbourhood of one car: a grid over two of the directions in which cars differ, to wander over.
 *
 * @import { Context } from "./api.js"
 * @import { Direction } from "./directions.js"
 * @import { Call } from "./snippets.js"
 * @import { Car, MapState } from "./state.js"
 */

import { pictured, requestJson } from "./api.js";
import { actions, latentCar, resolve } from "./cars.js";
import { REACH, directions, move, place } from "./directions.js";
import { go, latentReference, parseReference } from "./links.js";
import { job, say, tell } from "./notes.js";
import { change, freshSeed, get } from "./state.js";

const SIDE = 8; // cells
const STEP = 1; // standard deviations from cell to cell
const FAR = 6; // cells from the middle of all cars to the edge of the map; few photographs are farther out
const CELL = 96; // pixels of a cell's picture
const GRIP = 6; // pixels that a pointer moves before it drags

/** @type {(Car & {latent: number[]}) | undefined} */
let origin;
/** @type {Direction[]} */
let along = [];
let fetching = ""; // reference of the car that is on its way
let drawn = ""; // what the pictures belong to: car and directions
/** Pictures of cells that have come. @type {Map<string, string>} */
let pictures = new Map();
let drawing = false;
/** The cell that is looked at, counted over the grid. */
let looked = 0;

/** @param {Readonly<MapState>} state @returns {Promise<boolean> | void} */
export function render({ car, x, y }) {
  if (!parseReference(car)) return tell("This link is damaged: its car is missing.", { lasting: true });
  if (car !== origin?.ref) return car === fetching ? undefined : load(car);
  if (along.length < 2) return undefined;
  const axes = `${car} ${x} ${y}`;
  if (axes !== drawn) pictures = new Map();
  if (axes !== drawn) looked = indexOf(home());
  drawn = axes;
  showAxes();
  showCells();
  return draw();
}

/** @param {string} ref */
function load(ref) {
  return job("map-car", "Fetching the car", async ({ settled, ...context }) => {
    fetching = ref;
    try {
      await settled();
      const found = await resolve(ref, context);
      along = await directions(context);
      if (along.length < 2) tell("This model names too few directions for a map.");
      origin = { .../** @type {Car & {latent: number[]}} */ (found), ref };
    } finally {
      if (fetching === ref) fetching = "";
    }
    drawn = "";
    $("#map-form select").empty().append(along.flatMap(({ name }, i) => $("<option>").val(i).text(capital(name)).get()));
    return render(get("map"));
  });
}

/** @param {string} name */
const capital = (name) => name[0].toUpperCase() + name.slice(1);

/** The two directions; where the address names one twice or one too many, the next that there is. @returns {[Direction, Direction]} */
function axes() {
  const { x, y } = get("map");
  const across = Math.min(x, along.length - 1);
  const up = y === across || y >= along.length ? (across + 1) % along.length : y;
  return [along[across], along[up]];
}

/** The car's own cell, in cells from the middle of all cars. */
const home = () => axes().map((direction) => Math.round(place(/** @type {Car & {latent: number[]}} */ (origin).latent, direction) / STEP));

/** A place of the lower left cell that keeps the grid on the map. @param {number[]} at */
const within = (at) => at.map((cell) => Math.min(FAR - SIDE + 1, Math.max(-FAR, cell)));

/** The cell at the lower left. */
const corner = () => within(get("map").at.length ? get("map").at : home().map((cell) => cell - SIDE / 2));

/** The cell of an index, counted by rows from the upper left. @param {number} index */
const cellAt = (index) => [corner()[0] + (index % SIDE), corner()[1] + SIDE - 1 - Math.floor(index / SIDE)];

/** @param {number[]} cell */
function indexOf([x, y]) {
  const [left, bottom] = corner();
  return limit(SIDE - 1 - (y - bottom)) * SIDE + limit(x - left);
}

/** @param {number} value */
const limit = (value) => Math.min(SIDE - 1, Math.max(0, value));

/** The latent of a cell; the car's own is left as it is. @param {number[]} cell */
function latentAt(cell) {
  const { latent } = /** @type {Car & {latent: number[]}} */ (origin);
  const own = home();
  return move(latent, axes().map((direction, i) => [direction, (cell[i] - own[i]) * STEP]));
}

/** The request for all cars in view. @returns {Call | null} */
export const call = () => (origin && along.length > 1 ? { path: "/decode", json: { latents: cells().map(latentAt) } } : null);

/** @param {number[]} cell */
const describe = (cell) => axes().map(({ name }, i) => `${capital(name)} ${(cell[i] * STEP).toFixed(1).replace("-", "−")}`).join(", ");

function showAxes() {
  const [across, up] = axes();
  $("#map-x").val(along.indexOf(across));
  $("#map-y").val(along.indexOf(up));
  $("#map-across").text(capital(across.name));
  $("#map-up").text(capital(up.name));
}

function showCells() {
  const own = String(home());
  $("#map-cells button").each((index, button) => {
    const cell = cellAt(index);
    const image = pictures.get(String(cell));
    $(button).toggleClass("is-home", String(cell) === own).attr({ "aria-label": describe(cell), tabindex: index === looked ? 0 : -1 });
    $(button).find("img").attr({ src: image ?? null });
  });
  look(looked);
}

/** Show one cell large. @param {number} index */
function look(index) {
  looked = index;
  $("#map-cells button").attr("tabindex", -1).eq(index).attr("tabindex", 0);
  const cell = cellAt(index);
  const image = pictures.get(String(cell));
  $("#map-name").text(describe(cell));
  $("#map-image").prop("hidden", !image).attr({ src: image ?? null, alt: `Car at ${describe(cell)}` });
  $("#map-buttons").empty();
  if (!image) return;
  const car = { ...latentCar(latentAt(cell), image, `Car at ${describe(cell)}`), small: true };
  $("#map-buttons").append(actions(car, ["map", "like", "copy"]));
}

/** Draw until every cell in view has its picture; cells passed meanwhile are not asked for. */
function draw() {
  if (drawing || !missing().length) return undefined;
  return job("map", "Drawing the map", async (context) => {
    drawing = true;
    try {
      for (let wanted = missing(); wanted.length; wanted = missing()) await drawOnce(wanted, context);
      say("The map is drawn");
    } finally {
      drawing = false;
    }
  });
}

const cells = () => Array.from({ length: SIDE * SIDE }, (_, index) => cellAt(index));

const missing = () => cells().filter((cell) => !pictures.has(String(cell)));

/** @param {number[][]} wanted @param {Context} context */
async function drawOnce(wanted, context) {
  const into = pictures; // opening another car's map meanwhile replaces `pictures`
  const { images } = await requestJson(pictured("/decode", { size: CELL }), { json: { latents: wanted.map(latentAt) }, ...context });
  wanted.forEach((cell, i) => into.set(String(cell), images[i]));
  if (into === pictures) showCells();
}

/** Move the grid over the map by cells. @param {number} right @param {number} up @param {"replace" | "none"} [address] */
function wander(right, up, address = "replace") {
  const [left, bottom] = corner();
  change("map", { at: within([left + right, bottom + up]) }, address);
}

/** Go to a neighbour by an arrow key, or move the map where the grid ends. @param {JQuery.TriggeredEvent} event */
function step(event) {
  const way = /** @type {Record<string, [number, number]>} */ ({
    ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
  })[event.key ?? ""];
  if (!way) return;
  event.preventDefault();
  const [column, row] = [(looked % SIDE) + way[0], Math.floor(looked / SIDE) - way[1]];
  if (column !== limit(column) || row !== limit(row)) wander(...way);
  else look(row * SIDE + column);
  $("#map-cells button").eq(looked).trigger("focus");
}

/** Drag the map: by whole cells, and in between the grid follows the pointer. @param {HTMLElement} grid */
function startDragging(grid) {
  /** @type {{x: number, y: number, moved: boolean} | undefined} */
  let grip;
  /** @param {number} x @param {number} y */
  const shift = (x, y) => { grid.style.translate = `${x}px ${y}px`; };
  $(grid).on("pointerdown", ({ clientX = 0, clientY = 0 }) => { grip = { x: clientX, y: clientY, moved: false }; });
  $(grid).on("pointermove", ({ clientX = 0, clientY = 0, originalEvent }) => {
    const pointer = /** @type {PointerEvent} */ (originalEvent);
    if (!grip || !pointer.buttons) return;
    let [right, down] = [clientX - grip.x, clientY - grip.y];
    if (!grip.moved && Math.hypot(right, down) < GRIP) return;
    if (!grip.moved) grid.setPointerCapture(pointer.pointerId);
    grip.moved = true;
    const size = grid.clientWidth / SIDE;
    const [columns, rows] = [right, down].map((way) => Math.trunc(way / size));
    if (columns || rows) {
      wander(-columns, rows, "none");
      [grip.x, grip.y] = [grip.x + columns * size, grip.y + rows * size];
      [right, down] = [clientX - grip.x, clientY - grip.y];
    }
    shift(right, down);
  });
  $(grid).on("pointerup pointercancel", () => {
    shift(0, 0);
    if (grip?.moved) change("map", { at: corner() }, "replace");
    if (grip?.moved) $(grid).one("click", (event) => event.stopImmediatePropagation());
    grip = undefined;
  });
}

export function start() {
  const $grid = $("#map-cells");
  startDragging($grid[0]);
  $grid.append(Array.from({ length: SIDE * SIDE }, (_, index) =>
    $("<button>").addClass("map__cell").attr({ type: "button", tabindex: index ? -1 : 0 }).append($("<img>").attr({ alt: "", draggable: "false" }))));
  $grid.on("mouseenter focus", "button", ({ currentTarget }) => look($(currentTarget).index())).on("keydown", step);
  $grid.on("focusin", "button", ({ currentTarget }) => look($(currentTarget).index()));
  $grid.on("click", "button", ({ currentTarget }) => {
    if (pictures.has(String(cellAt($(currentTarget).index())))) tuneCell(cellAt($(currentTarget).index()));
  });
  $("#map-form").on("change", () => change("map", { x: Number($("#map-x").val()), y: Number($("#map-y").val()), at: [] }));
  $("#map-new").on("click", () => change("map", { car: `${freshSeed()}.0`, at: [] }));
  $("#map-home").on("click", () => change("map", { at: [] }, "replace"));
}

/** Tune the car of a cell: the same car with two of its dials there, or where they do not reach, one of its own. @param {number[]} cell */
function tuneCell(cell) {
  if (cell.some((each) => Math.abs(each * STEP) > REACH)) return go("tune", { car: latentReference(latentAt(cell)) });
  const dials = along.map((direction) => {
    const axis = axes().indexOf(direction);
    return axis < 0 || cell[axis] === home()[axis] ? "" : cell[axis] * STEP;
  });
  return go("tune", { car: get("map").car, dials: dials.some((dial) => dial !== "") ? dials.join() : "" });
}
