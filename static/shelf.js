/**
 * The cars a visitor keeps, in this browser's local storage.
 *
 * @import { Car } from "./state.js"
 * @typedef {Pick<Car, "ref" | "name" | "image" | "small">} Kept
 */

const KEY = "carvae.shelf";
export const ROOM = 24;

/** What was read last: the text, and its cars. @type {[string, Kept[]]} */
let read = ["[]", []];

/** The latest first, at most `ROOM` whatever is stored. @returns {Kept[]} */
export function kept() {
  try {
    const text = localStorage.getItem(KEY) ?? "[]";
    if (text !== read[0]) {
      const cars = JSON.parse(text);
      read = [text, Array.isArray(cars) ? cars.filter(isCar).slice(0, ROOM) : []];
    }
    return read[1];
  } catch {
    return []; // storage switched off, or written by something else
  }
}

/** @param {any} car */
const isCar = (car) => car?.ref && /^data:image\//.test(car.image);

/** @param {string} ref */
export const isKept = (ref) => kept().some((car) => car.ref === ref);

export const isFull = () => kept().length >= ROOM;

/** Keep a car, or let it go; returns whether it is kept now. Throws where the browser stores nothing. @param {Kept} car */
export function toggleKept({ ref, name, image, small }) {
  const others = kept().filter((car) => car.ref !== ref);
  const keep = !isKept(ref);
  const cars = keep ? [{ ref, name, image, small }, ...others] : others;
  localStorage.setItem(KEY, JSON.stringify(cars));
  $(document).trigger("shelf");
  return keep;
}
