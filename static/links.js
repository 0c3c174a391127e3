/**
 * The address names what is shown: `#view?key=value&...&model=version`. Cars travel as references, which another model
 * draws as other cars.
 *
 * @import { Address, Params, View } from "./state.js"
 */

/** @type {View[]} */
export const VIEWS = ["random", "reconstruct", "morph", "tune", "map"];

let answering = ""; // version of the model that answers

/**
 * What an address asks for, and the version of the model that it was made with.
 * @param {string} [hash]
 * @returns {{view: View, params: Params, model: string}}
 */
export function read(hash = location.hash) {
  const [name, query] = hash.slice(1).split("?");
  const { model = "", ...params } = Object.fromEntries(new URLSearchParams(query));
  const present = name === "mix" ? "tune" : name; // as links of the first release call it
  return { view: VIEWS.find((view) => view === present) ?? VIEWS[0], params, model };
}

/**
 * `#view?...`, leaving out what has no value.
 * @param {View} view
 * @param {Record<string, string | number | undefined>} [params]
 */
export function format(view, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#${view}${query ? `?${query}` : ""}`;
}

/**
 * Put the open view's state into the address. One that names the view alone is always replaced: going back to it would
 * only lead here again.
 * @param {View} view
 * @param {Record<string, string | number>} params
 * @param {Address} address
 */
export function write(view, params, address) {
  const present = read();
  if (address === "none" || present.view !== view || format(view, params) === format(view, present.params)) return;
  const model = address === "complete" ? present.model || answering : answering || present.model;
  const bare = !location.hash.includes("?");
  history[address === "push" && !bare ? "pushState" : "replaceState"](null, "", format(view, { ...params, model }));
}

/** Note the model that answers, and put it into an address that names none. @param {string} version */
export function meet(version) {
  const { view, params, model } = read();
  answering = version;
  if (model || !location.hash.includes("?")) return;
  history.replaceState(null, "", format(view, { ...params, model: version }));
}

/** A link to a view's state with the model that answers. @type {(view: View, params: Record<string, string | number>) => string} */
export const link = (view, params) => format(view, { ...params, model: answering });

/** Whether a version is another one than that of the model that answers. @param {string} version */
export const isOther = (version) => Boolean(version && answering && version !== answering);

/** Go to a state as a click on a link would. @type {(view: View, params?: Record<string, string | number>) => void} */
export function go(view, params) {
  location.hash = format(view, params);
}

/**
 * A random car: `seed.index`, with `@temperature` where it is not 1.
 * @param {string | number} seed
 * @param {number} index
 * @param {number} [temperature]
 */
export const seedReference = (seed, index, temperature = 1) => `${seed}.${index}${temperature === 1 ? "" : `@${temperature}`}`;

/**
 * A latent in a link: a scale and one signed byte per number, about 700 characters for 512 numbers.
 * @param {number[]} latent
 */
export function latentReference(latent) {
  const scale = Math.max(1e-6, ...latent.map(Math.abs)) / 127;
  const bytes = new Uint8Array(4 + latent.length);
  new DataView(bytes.buffer).setFloat32(0, scale);
  latent.forEach((value, i) => { bytes[4 + i] = Math.round(value / scale) & 255; });
  return `z${btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

/**
 * The car behind a reference, as `/interpolate` takes it.
 * @param {string} reference
 * @returns {{seed: number, index: number, temperature: number} | {latent: number[]} | null}  null for anything else
 */
export function parseReference(reference) {
  const seeded = /^(\d{1,16})\.(\d{1,2})(?:@(\d(?:\.\d+)?))?$/.exec(reference);
  if (seeded) return { seed: Number(seeded[1]), index: Number(seeded[2]), temperature: Number(seeded[3] ?? 1) };
  if (!/^z[\w-]{8,}$/.test(reference)) return null;
  try {
    const text = atob(reference.slice(1).replace(/-/g, "+").replace(/_/g, "/"));
    const bytes = new DataView(Uint8Array.from(text, (c) => c.charCodeAt(0)).buffer);
    const scale = bytes.getFloat32(0);
    if (!Number.isFinite(scale)) return null;
    return { latent: Array.from({ length: bytes.byteLength - 4 }, (_, i) => bytes.getInt8(4 + i) * scale) };
  } catch {
    return null; // a link that lost a piece on its way
  }
}
