/**
 * Requests to the API as code: for curl, Python with its standard library alone, and JavaScript. The pictures that each
 * makes are those on the screen, as large as the model draws them.
 *
 * @typedef {{path: "/random" | "/reconstruct" | "/interpolate" | "/decode", query?: Record<string, string | number>,
 *   json?: object, file?: {name: string, type: string}}} Call  one request; `json` or `file` is its body
 */

import { parseReference } from "./links.js";

export const LATENTS = "latents.json"; // a body with more than one latent fills many screens: it goes into this file

/** The file that curl writes, the form asked for, and how to get at the pictures of an answer in JSON. */
const ANSWERS = {
  "/random": { file: "cars.webp", form: "image/webp", python: '[car["image"] for car in answer["cars"]]', js: "cars.map(({ image }) => image)", field: "cars" },
  "/reconstruct": { file: "reconstruction.webp", form: "image/webp", python: '[answer["reconstruction"]]', js: "[reconstruction]", field: "reconstruction" },
  "/interpolate": { file: "morph.gif", form: "image/gif", python: '[frame["image"] for frame in answer["frames"]]', js: "frames.map(({ image }) => image)", field: "frames" },
  "/decode": { file: "cars.webp", form: "image/webp", python: 'answer["images"]', js: "images", field: "images" },
};

/** The call that draws one car. @param {string} ref @param {number[]} [latent] @returns {Call | null}  null where there is none */
export function carCall(ref, latent) {
  const origin = latent && ref.startsWith("z") ? { latent } : parseReference(ref);
  if (!origin) return null;
  if ("latent" in origin) return { path: "/decode", json: { latents: [origin.latent] } };
  const { seed, index: first, temperature } = origin;
  return { path: "/random", query: { seed, first, count: 1, temperature } };
}

/** What is to be saved as `LATENTS` before the code runs; null where the code holds all. @param {Call} call */
export function latentsFile({ json }) {
  return json && "latents" in json && Array.isArray(json.latents) && json.latents.length > 1 ? JSON.stringify(json) : null;
}

/** @param {Call} call @param {string} base  of the API, absolute @param {Record<string, string>} [more] */
function url({ path, query = {} }, base, more = {}) {
  const given = [...Object.entries(query), ...Object.entries(more)].map(([name, value]) => [name, String(value)]);
  return `${base}${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

/** The type of a body. @param {Call} call */
const typeOf = ({ json, file }) => (json ? "application/json" : file?.type || "application/octet-stream");

/** As one word of a POSIX shell. @param {string} text */
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param {Call} call @param {string} base */
export function curl(call, base) {
  const { file, form } = ANSWERS[call.path];
  const { json, file: photograph } = call;
  const lines = [`curl --fail ${quote(url(call, base))}`, `-H 'Accept: ${form}'`];
  if (json || photograph) lines.push(`-H ${quote(`Content-Type: ${typeOf(call)}`)}`);
  if (latentsFile(call)) lines.push(`--data-binary '@${LATENTS}'`);
  else if (json) lines.push(`--data-binary '${JSON.stringify(json)}'`);
  else if (photograph) lines.push(`--data-binary ${quote(`@${photograph.name}`)}`);
  return [...lines, `-o ${file}`].join(" \\\n  ");
}

/** @param {Call} call @param {string} base */
export function python(call, base) {
  const { json, file } = call;
  const lines = ["import json", "from urllib.request import Request, urlopen", ""];
  if (latentsFile(call)) lines.push(`body = open("${LATENTS}", "rb").read()`);
  else if (json) lines.push(`body = json.dumps(${JSON.stringify(json)}).encode()`);
  else if (file) lines.push(`body = open(${JSON.stringify(file.name)}, "rb").read()`);
  const body = json || file ? `, body, {"Content-Type": ${JSON.stringify(typeOf(call))}}` : "";
  return [
    ...lines,
    `request = Request(${JSON.stringify(url(call, base, { image: "webp" }))}${body})`,
    "with urlopen(request) as response:",
    "    answer = json.load(response)",
    `for number, picture in enumerate(${ANSWERS[call.path].python}):`,
    '    with open(f"car-{number}.webp", "wb") as file:',
    "        file.write(urlopen(picture).read())  # a data URL",
  ].join("\n");
}

/** @param {Call} call @param {string} base */
export function javascript(call, base) {
  const { json, file } = call;
  const { field, js } = ANSWERS[call.path];
  const lines = [];
  if (latentsFile(call)) lines.push(`const body = await (await fetch("${LATENTS}")).text();`);
  else if (json) lines.push(`const body = JSON.stringify(${JSON.stringify(json)});`);
  else if (file) lines.push(`const body = await (await fetch(${JSON.stringify(encodeURIComponent(file.name))})).blob();`);
  const address = JSON.stringify(url(call, base, { image: "webp" }));
  const options = json || file ? `, {\n  method: "POST", headers: { "Content-Type": ${JSON.stringify(typeOf(call))} }, body,\n}` : "";
  return [
    ...lines,
    `const response = await fetch(${address}${options});`,
    "if (!response.ok) throw new Error(await response.text());",
    `const { ${field} } = await response.json();`,
    `for (const src of ${js}) document.body.append(Object.assign(new Image(), { src }));`,
  ].join("\n");
}

/** @param {string} text */
const escape = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

/**
 * HTML that shows the cars on another page; other sites may not frame this one. Only cars of a seed have an address.
 * @param {Call} call @param {string} base @param {string} link  of what is on the screen
 */
export function embed(call, base, link) {
  if (call.path !== "/random" || !call.query) return "";
  const { seed, first = 0, count, temperature } = call.query;
  if (Number(count) > 1) return `<a href="${escape(link)}">\n  <img src="${escape(url(call, base))}" alt="Cars nobody has built">\n</a>`;
  const car = escape(`${base}/car/${seed}.${first}${Number(temperature) === 1 ? "" : `@${temperature}`}`);
  return `<a href="${car}">\n  <img src="${car}/preview" width="600" height="315" alt="A car nobody has built">\n</a>`;
}
