import assert from "node:assert/strict";
import { test } from "node:test";

import { interpolate } from "../../static/latents.js";

const close = (found, expected) => found.forEach((z, i) => assert.ok(Math.abs(z - expected[i]) < 1e-9, `${found}`));
const METHODS = ["lerp", "slerp"];

test("both ways begin at one end and end at the other", () => {
  for (const method of METHODS) {
    close(interpolate([1, 2, 3], [-3, 0, 1], 0, method), [1, 2, 3]);
    close(interpolate([1, 2, 3], [-3, 0, 1], 1, method), [-3, 0, 1]);
  }
});

test("the straight way is even", () => close(interpolate([0, 4], [8, 0], 0.25), [2, 3]));

test("the arc keeps the length of ends that are equally long", () => {
  close(interpolate([2, 0], [0, 2], 0.5, "slerp"), [Math.SQRT2, Math.SQRT2]);
  close(interpolate([2, 0], [0, 2], 1 / 3, "slerp"), [Math.sqrt(3), 1]);
});

test("the length of an arc changes evenly between unequal ends", () => {
  assert.ok(Math.abs(Math.hypot(...interpolate([2, 0], [0, 6], 0.25, "slerp")) - 3) < 1e-9);
});

test("where there is no one arc the way is straight", () => {
  for (const [a, b] of [[[1, 0], [3, 0]], [[1, 0], [-1, 0]], [[0, 0], [1, 1]]]) {
    close(interpolate(a, b, 0.5, "slerp"), interpolate(a, b, 0.5, "lerp"));
  }
});
