/**
 * The cars a visitor keeps, in this browser's local storage.
 *
 * @import { Car } from "./state.js"
 * @typedef {Pick<Car, "ref" | "name" | "image" | "small">} Kept
 */

const KEY = "carvae.shelf";
export const ROOM = 24;

/** The latest first. @returns {Kept[]} */
export function kept() {
  try {
    const cars = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(cars) ? cars.filter((car) => car?.ref && /^data:image\//.test(car.image)) : [];
  } catch {
    return []; // storage switched off, or written by something else
  }
}

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
