/**
 * What the page shows: one state per view. The address and the pictures are made from it, and it changes here alone.
 * Nothing in this file touches the page.
 *
 * A car is `{ref, image, name, number, latent?, small?}`: its reference for links (links.js), a data URL, what it is
 * called, what stands on its mount, its latent where an answer brought it along, and whether the picture is a small one.
 *
 * @typedef {{ref: string, image: string, name: string, number: string, latent?: number[], small?: boolean}} Car
 * @typedef {"a" | "b"} Slot  one end of a morph
 * @typedef {{seed: string, count: number, temperature: number, like: string, also: string}} RandomState  `like` is the
 *   reference of a car to vary, `also` of another: the cars then lie between the two
 * @typedef {{z: string}} ReconstructState  the reference of the reconstruction
 * @typedef {{a: string, b: string, method: string, steps: number, at: number}} MorphState  references; `at` counts from 0
 * @typedef {{car: string, dials: (number | null)[]}} TuneState  null, or nothing, is a car's own place on a dial
 * @typedef {{car: string, x: number, y: number, at: number[]}} MapState  indices of the directions across and upwards; the
 *   place of the cell at the lower left, in cells, or nothing where the car is in the middle
 * @typedef {{random: RandomState, reconstruct: ReconstructState, morph: MorphState, tune: TuneState, map: MapState}} States
 * @typedef {keyof States} View
 * @typedef {"push" | "replace" | "complete" | "none"} Address  what a change does to the address: "push" adds a
 *   step to the history, "replace" adds none, "complete" also keeps the model in the address, "none" changes nothing
 * @typedef {Record<string, string | undefined>} Params  what an address holds
 */

const SEEDS = 1_000_000; // short enough to read aloud

export const freshSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0] % SEEDS);

/** A number of an address within its limits. @type {(text: string | undefined, least: number, most: number, otherwise: number) => number} */
const number = (text, least, most, otherwise) => {
  const value = Number.parseFloat(text ?? "");
  return Number.isNaN(value) ? otherwise : Math.min(most, Math.max(least, value));
};

/** @type {typeof number} */
const whole = (...limits) => Math.round(number(...limits));

/** What an address asks for. @type {{[V in View]: (params: Params) => States[V]}} */
const PARSERS = {
  random: ({ seed = "", count, temperature, like = "", also = "" }) => (
    { seed, count: whole(count, 1, 64, 12), temperature: number(temperature, 0, 2, 1), like, also: like && also }
  ),
  reconstruct: ({ z = "" }) => ({ z }),
  morph: ({ a = "", b = "", method, steps, at }) => (
    { a, b, method: method === "slerp" ? "slerp" : "lerp", steps: whole(steps, 2, 32, 16), at: whole(at, 0, 31, 0) }
  ),
  tune: ({ car = "", dials = "" }) => ({ car, dials: dials ? dials.split(",").map(place) : [] }),
  map: ({ car = "", x, y, at = "" }) => {
    const cell = at.split(",").map(Number);
    return { car, x: whole(x, 0, 7, 1), y: whole(y, 0, 7, 2), at: cell.length === 2 && cell.every(Number.isInteger) ? cell : [] };
  },
};

/** @param {string} text */
function place(text) {
  const value = text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

/** Something to look at where a state names nothing. @type {{[V in View]: (state: States[V]) => States[V]}} */
const FILLERS = {
  random: (state) => (state.seed ? state : { ...state, seed: freshSeed() }),
  reconstruct: (state) => state,
  morph: (state) => (state.a || state.b ? state : { ...state, ...twoCars() }),
  tune: (state) => (state.car ? state : { ...state, car: `${freshSeed()}.0` }),
  map: (state) => (state.car ? state : { ...state, car: `${freshSeed()}.0` }),
};

/** References of two cars that nobody has seen. */
export function twoCars() {
  const seed = freshSeed();
  return { a: `${seed}.0`, b: `${seed}.1` };
}

/** @type {States} */
const states = {
  random: PARSERS.random({}), reconstruct: PARSERS.reconstruct({}), morph: PARSERS.morph({}), tune: PARSERS.tune({}),
  map: PARSERS.map({}),
};

/** @type {((view: View, address: Address) => void)[]} */
const listeners = [];

/** Hear of every change. @param {(view: View, address: Address) => void} listener */
export const subscribe = (listener) => listeners.push(listener);

/**
 * The state of a view, not to be changed in place.
 * @template {View} V
 * @param {V} view
 * @returns {Readonly<States[V]>}
 */
export const get = (view) => states[view];

/**
 * Change parts of a view's state.
 * @template {View} V
 * @param {V} view
 * @param {Partial<States[V]>} changes
 * @param {Address} [address]
 */
export function change(view, changes, address = "push") {
  states[view] = { ...states[view], ...changes };
  listeners.forEach((listener) => listener(view, address));
}

/**
 * Open a view as an address asks for it; one that asks for nothing brings back what the view showed last.
 * @template {View} V
 * @param {V} view
 * @param {Params} params
 */
export function enter(view, params) {
  change(view, FILLERS[view](Object.keys(params).length ? PARSERS[view](params) : states[view]), "complete");
}

/**
 * A view's state as an address holds it.
 * @template {View} V
 * @param {V} view
 * @returns {Record<string, string | number>}  in the order of the address; what is empty is left out there
 */
export function toParams(view) {
  if (view === "morph") return { ...states.morph, at: states.morph.at || "" };
  if (view === "tune") return { car: states.tune.car, dials: states.tune.dials.map((value) => value ?? "").join() };
  if (view === "map") return { ...states.map, at: states.map.at.join() };
  return view === "random" ? { ...states.random } : { ...states.reconstruct };
}

/** @type {Map<string, Car>} */
const ends = new Map();

/** The two cars of the morph: its state names them, and this holds those that have come. */
export const picked = {
  /** @param {Slot} slot @returns {Car | undefined} */
  car: (slot) => ends.get(states.morph[slot]),

  /** Choose one or both. @param {{[S in Slot]?: Car}} cars @param {Address} [address] */
  set(cars, address) {
    const { a, b } = states.morph;
    const refs = { a: cars.a?.ref ?? a, b: cars.b?.ref ?? b };
    Object.values(cars).forEach((car) => ends.set(car.ref, car));
    for (const ref of ends.keys()) if (ref !== refs.a && ref !== refs.b) ends.delete(ref);
    change("morph", refs.a === a && refs.b === b ? refs : { ...refs, at: 0 }, address);
  },

  /** Choose a car, or drop it where it is chosen already. @param {Slot} slot @param {Car} car */
  toggle(slot, car) {
    if (states.morph[slot] === car.ref) change("morph", { [slot]: "", at: 0 });
    else picked.set({ [slot]: car });
  },
};
