/** The cars a visitor keeps, in this browser's local storage. */

const KEY = "carvae.shelf";
const ROOM = 24;

/** Cars as `{ref, name, image}`, the latest first. */
export function kept() {
  try {
    const cars = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(cars) ? cars.filter((car) => car?.ref && /^data:image\//.test(car.image)) : [];
  } catch {
    return []; // storage switched off, or written by something else
  }
}

export const isKept = (ref) => kept().some((car) => car.ref === ref);

/** Keep a car, or let it go; returns whether it is kept now. Throws where the browser stores nothing. */
export function toggleKept({ ref, name, image }) {
  const others = kept().filter((car) => car.ref !== ref);
  const keep = !isKept(ref);
  const cars = keep ? [{ ref, name, image }, ...others].slice(0, ROOM) : others;
  localStorage.setItem(KEY, JSON.stringify(cars));
  window.jQuery(document).trigger("shelf");
  return keep;
}
