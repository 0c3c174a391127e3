/**
 * The ways in which cars differ most, as the server tells them.
 *
 * @import { Context } from "./api.js"
 * @typedef {{name: string, vector: number[], mean: number, sd: number}} Direction
 */

import { requestJson } from "./api.js";

export const REACH = 3; // standard deviations to each side that still are cars
const DIGITS = 1000; // of a latent's numbers; more would only lengthen each request

/** Asked once. @type {Direction[] | undefined} */
let known;

/** @param {Context} context */
export async function directions(context) {
  known ??= /** @type {Direction[]} */ ((await requestJson("/directions", context)).directions);
  return known;
}

/** A car's own place on a direction, in standard deviations. @param {number[]} latent @param {Direction} direction */
export const place = (latent, { vector, mean, sd }) => vector.reduce((sum, v, i) => sum + v * latent[i], -mean) / sd;

/**
 * A latent moved along directions.
 * @param {number[]} latent
 * @param {[Direction, number][]} moves  by how many standard deviations
 */
export function move(latent, moves) {
  const moved = latent.slice();
  for (const [{ vector, sd }, by] of moves) if (by) vector.forEach((v, i) => { moved[i] += by * sd * v; });
  return moved.map((z) => Math.round(z * DIGITS) / DIGITS);
}
