/**
 * "Use via API": the request behind what is on the screen, as code to copy.
 *
 * @import { Call } from "./snippets.js"
 */

import { address } from "./api.js";
import { tell } from "./notes.js";
import { copyText, save } from "./pictures.js";
import { LATENTS, curl, embed, javascript, latentsFile, python } from "./snippets.js";

/** @type {Record<string, (call: Call, base: string) => string>} */
const LANGUAGES = { curl, python, javascript, embed: (present, base) => embed(present, base, location.href) };
const NOTHING = "Nothing is drawn yet.";
const NO_EMBEDDING = "Only unchanged cars of a seed have an address that another page can show.";

/** @type {Call | null} */
let call = null;
let started = false;

/** Show the code for a call; null where nothing is on the screen. @param {Call | null} present */
export function show(present) {
  if (!started) start();
  call = present;
  render();
}

function start() {
  started = true;
  $("#api [name=language]").on("change", render);
  $("#api-copy").on("click", () => copyText(code()).then(
    () => tell("Copied the code."),
    () => tell("The browser did not allow copying. Select the code and copy it by hand."),
  ));
  $("#api-latents").on("click", () => {
    save(new Blob([latentsFile(/** @type {Call} */ (call)) ?? ""], { type: "application/json" }), LATENTS.replace(".json", ""));
  });
}

const language = () => String($("#api [name=language]:checked").val());

/** In the language that is chosen; empty where there is none. */
function code() {
  if (!call) return "";
  const base = new URL(address("/"), location.href).href.replace(/\/$/, "");
  return LANGUAGES[language()](call, base);
}

function render() {
  const text = code();
  $("#api-code").text(text || (call ? NO_EMBEDDING : NOTHING)).toggleClass("is-none", !text);
  $("#api-copy").prop("disabled", !text);
  const latents = call && latentsFile(call) && language() !== "embed";
  $("#api-latents").prop("hidden", !latents);
  $("#api-hint").text([
    latents ? `The code reads the numbers of these cars from ${LATENTS}.` : "",
    call?.file && language() !== "embed" ? "Run it in the folder of your photograph, which may have up to 4.5 MB." : "",
  ].join(" ").trim());
}
