/**
 * The address names what is on the table: `#view?key=value&...&model=version`. Cars travel as references, which
 * another model draws as other cars.
 */

const VIEWS = ["random", "reconstruct", "morph", "mix"];

let answering = ""; // version of the model that answers

/** What the address asks for, and the version of the model that it was made with. */
export function read() {
  const [view, query] = location.hash.slice(1).split("?");
  const { model = "", ...params } = Object.fromEntries(new URLSearchParams(query));
  return { view: VIEWS.includes(view) ? view : VIEWS[0], params, model };
}

/** `#view?...`, leaving out what has no value. */
export function format(view, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given).toString();
  return `#${view}${query ? `?${query}` : ""}`;
}

/**
 * Put a view's state into the address, as a new step of the history. The present step is replaced instead where it
 * names the view alone (going back to it would only lead here again), or on demand.
 */
export function write(view, params, { replace = false } = {}) {
  const present = read();
  const hash = format(view, { ...params, model: answering || present.model });
  window.jQuery(`.tab[data-view=${view}]`).attr("href", hash);
  if (present.view !== view || format(view, params) === format(view, present.params)) return;
  const bare = !location.hash.includes("?");
  history[replace || bare ? "replaceState" : "pushState"](null, "", hash);
}

/** Note the model that answers, and put it into an address that names none. */
export function meet(version) {
  const { view, params, model } = read();
  answering = version;
  if (model || !location.hash.includes("?")) return;
  history.replaceState(null, "", format(view, { ...params, model: version }));
  window.jQuery(`.tab[data-view=${view}]`).attr("href", location.hash);
}

/** Whether a version is another one than that of the model that answers. */
export const isOther = (version) => Boolean(version && answering && version !== answering);

/** Go to a state as a click on a link would. */
export function go(view, params) {
  location.hash = format(view, params);
}

/** A random car: `seed.index`, with `@temperature` where it is not 1. */
export function seedReference(seed, index, temperature = 1) {
  return `${seed}.${index}${Number(temperature) === 1 ? "" : `@${temperature}`}`;
}

/** A latent in a link: a scale and one signed byte a number, about 700 characters for 512 numbers. */
export function latentReference(latent) {
  const scale = Math.max(1e-6, ...latent.map(Math.abs)) / 127;
  const bytes = new Uint8Array(4 + latent.length);
  new DataView(bytes.buffer).setFloat32(0, scale);
  latent.forEach((value, i) => { bytes[4 + i] = Math.round(value / scale) & 255; });
  return `z${btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

/**
 * The car behind a reference, as `/interpolate` takes it.
 * @returns {{seed: number, index: number, temperature: number} | {latent: number[]} | null}  null for anything else
 */
export function parseReference(reference = "") {
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
