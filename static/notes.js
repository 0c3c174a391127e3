/**
 * What the page says: progress that can be cancelled, failures that can be tried again, short news.
 *
 * @import { Context } from "./api.js"
 * @typedef {Context & {signal: AbortSignal, settled: () => Promise<void>}} JobContext
 * @typedef {{act?: () => void, label?: string, close?: boolean}} Buttons
 */

import { Problem, pause } from "./api.js";

const QUIET_MS = 300; // an answer that comes sooner needs no note
const SLOW_S = 3;
const NEWS_MS = 7000;
const HASTE_MS = 300; // clicks that follow each other faster than this are meant as one

/** The elements of a template, cloned. @param {string} name @returns {JQuery} */
export function stamp(name) {
  const { content } = /** @type {HTMLTemplateElement} */ (document.getElementById(`t-${name}`));
  return $(/** @type {HTMLElement[]} */ ([...(/** @type {DocumentFragment} */ (content.cloneNode(true))).children]));
}

/** For screen readers alone. @param {string} text */
export const say = (text) => $("#say").text(text);

/** @param {string} text @param {Buttons & {kind?: string}} [options] */
function note(text, { kind = "news", act, label = "", close } = {}) {
  const $note = stamp("note").addClass(`note--${kind}`);
  $note.find(".note__what").text(text);
  if (kind === "problem") $note.attr("role", "alert");
  const leave = () => {
    $note.remove();
    if (document.activeElement === document.body) $("dialog[open] button, main h1:visible")[0]?.focus({ preventScroll: true });
  };
  $note.find("[data-note=act]").text(label).prop("hidden", !act).on("click", () => { leave(); act?.(); });
  $note.find("[data-note=close]").prop("hidden", !close).on("click", leave);
  return $note.appendTo("#notes");
}

/** Remove all notes except those of running work. */
export const quiet = () => $("#notes > :not(.note--busy)").remove();

/** News that goes away by itself, unless it is `lasting`. @param {string} text @param {Buttons & {lasting?: boolean}} [options] */
export function tell(text, { lasting = false, ...options } = {}) {
  $("#notes .note--news").remove();
  const $note = note(text, { ...options, kind: lasting ? "warning" : "news", close: true });
  // One with a button stays until it is used or dismissed: not everybody gets there within seconds.
  if (!lasting && !options.act) setTimeout(() => $note.remove(), NEWS_MS);
}

/** @type {Map<string, AbortController>} */
const running = new Map();
/** When each was asked for last. @type {Map<string, number>} */
const asked = new Map();

/**
 * Run one piece of work with a note about it; running work of the same key is aborted.
 * @param {string} key
 * @param {string} doing  "Drawing 12 cars"
 * @param {(context: JobContext) => Promise<unknown>} work  passes what it gets to `request`; `settled` waits until no
 *   quick click follows, except for the first one
 * @returns {Promise<boolean>}  whether it came to its end; a retry from the note is not waited for
 */
export async function job(key, doing, work) {
  running.get(key)?.abort("newer");
  $(`#notes [data-job=${key}]`).remove();
  const controller = new AbortController();
  running.set(key, controller);
  const again = { act: () => job(key, doing, work), label: "Try again", close: true };
  const $note = note(doing, { kind: "busy", act: () => controller.abort("cancelled"), label: "Cancel" });
  const start = performance.now();
  const pursued = start - (asked.get(key) ?? -Infinity) < HASTE_MS;
  asked.set(key, start);
  const stop = clock($note, doing, start);
  let cold = false;
  try {
    const { signal } = controller;
    const settled = async () => (pursued ? pause(HASTE_MS / 1000, signal) : undefined);
    await work({ signal, settled, onWait: (wait) => $note.trigger("wait", [wait]), onCold: () => { cold = true; } });
    const seconds = Math.round((performance.now() - start) / 1000);
    if (cold && seconds >= SLOW_S) tell(`That took ${seconds} s because the server had to start. It is running now.`);
    return true;
  } catch (error) {
    if (controller.signal.reason === "cancelled") note("Cancelled.", { ...again, kind: "cancelled" }).attr("data-job", key);
    if (controller.signal.aborted) return false;
    const sentence = error instanceof Problem ? error.message : `This page made a mistake. Reload it, then try again. (${error})`;
    note(sentence, { ...again, kind: "problem" }).attr("data-job", key);
    return false;
  } finally {
    stop();
    if (running.get(key) === controller) running.delete(key);
  }
}

/** Keeps a note honest about the time that passes; returns what ends it. @param {JQuery} $note @param {string} doing @param {number} start */
function clock($note, doing, start) {
  const $what = $note.find(".note__what");
  const $seconds = $note.find(".note__seconds");
  let until = 0;
  $note.prop("hidden", true);
  const appear = setTimeout(() => $note.prop("hidden", false), QUIET_MS);
  $note.on("wait", (_, { status, seconds }) => {
    until = performance.now() + seconds * 1000;
    $what.text(status === 429 ? "The server is busy. Asking again in" : "The server is loading its model. Asking again in");
  });
  const tick = setInterval(() => {
    const now = performance.now();
    const passed = Math.round((now - start) / 1000);
    if (until > now) return $seconds.text(`${Math.ceil((until - now) / 1000)} s`);
    if (passed >= SLOW_S) $what.text(`${doing}. This takes longer than usual.`);
    return $seconds.text(`${passed} s`);
  }, 500);
  return () => {
    clearTimeout(appear);
    clearInterval(tick);
    $note.remove();
  };
}
