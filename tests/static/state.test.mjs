import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { change, enter, get, picked, subscribe, toParams } from "../../static/state.js";

const car = (ref) => ({ ref, image: "data:image/png,", name: `Car ${ref}`, number: "0" });

beforeEach(() => {
  change("random", { seed: "", count: 12, temperature: 1, like: "", also: "" });
  change("morph", { a: "", b: "", method: "lerp", steps: 16, at: 0 });
  change("tune", { car: "", dials: [] });
});

describe("entering a view", () => {
  test("takes what the address asks for", () => {
    enter("random", { seed: "7", count: "5", temperature: "0.5", like: "7.1" });
    assert.deepEqual(get("random"), { seed: "7", count: 5, temperature: 0.5, like: "7.1", also: "" });
    enter("morph", { a: "7.0", b: "7.1@0.5", method: "slerp", steps: "5", at: "2" });
    assert.deepEqual(get("morph"), { a: "7.0", b: "7.1@0.5", method: "slerp", steps: 5, at: 2 });
    enter("tune", { car: "7.1", dials: "1,,-2.5" });
    assert.deepEqual(get("tune"), { car: "7.1", dials: [1, null, -2.5] });
  });

  test("fills in what it leaves out", () => {
    enter("random", { seed: "7" });
    assert.deepEqual(get("random"), { seed: "7", count: 12, temperature: 1, like: "", also: "" });
    enter("morph", { a: "7.0" });
    assert.deepEqual(get("morph"), { a: "7.0", b: "", method: "lerp", steps: 16, at: 0 });
  });

  test("keeps numbers within their limits, and to defaults where they are none", () => {
    enter("random", { seed: "7", count: "100", temperature: "-3" });
    assert.deepEqual(get("random"), { seed: "7", count: 64, temperature: 0, like: "", also: "" });
    enter("random", { seed: "7", count: "many", temperature: "" });
    assert.deepEqual(get("random"), { seed: "7", count: 12, temperature: 1, like: "", also: "" });
    enter("morph", { a: "7.0", method: "teleport", steps: "1", at: "99" });
    assert.deepEqual(get("morph"), { a: "7.0", b: "", method: "lerp", steps: 2, at: 31 });
  });

  test("by its name alone brings back what it showed last", () => {
    enter("tune", { car: "7.1", dials: "2" });
    enter("tune", {});
    assert.deepEqual(get("tune"), { car: "7.1", dials: [2] });
  });

  test("by its name alone for the first time chooses cars", () => {
    enter("random", {});
    assert.match(get("random").seed, /^\d{1,6}$/);
    enter("morph", {});
    const { a, b } = get("morph");
    assert.match(`${a} ${b}`, /^(\d{1,6})\.0 \1\.1$/);
    enter("tune", {});
    assert.match(get("tune").car, /^\d{1,6}\.0$/);
  });
});

test("a state comes back from the address that it makes", () => {
  const texts = (view) => Object.fromEntries(Object.entries(toParams(view)).map(([key, value]) => [key, String(value)]));
  change("random", { seed: "7", count: 20, temperature: 0.5, like: "8.1" });
  change("morph", { a: "7.0", b: "7.1", method: "slerp", steps: 9, at: 3 });
  change("tune", { car: "7.2", dials: [null, 1.5, -3] });
  for (const view of ["random", "morph", "tune"]) {
    const before = get(view);
    enter(view, texts(view));
    assert.deepEqual(get(view), before);
  }
});

test("every change is told with what it does to the address", () => {
  const heard = [];
  subscribe((...change) => heard.push(change));
  change("tune", { dials: [1] }, "none");
  change("tune", { dials: [2] });
  enter("reconstruct", { z: "zAAAA" });
  assert.deepEqual(heard, [["tune", "none"], ["tune", "push"], ["reconstruct", "complete"]]);
});

describe("the cars of a morph", () => {
  test("a car that is set is an end, and setting it again changes nothing", () => {
    picked.set({ a: car("7.0") });
    picked.set({ a: car("7.0") });
    assert.equal(get("morph").a, "7.0");
    assert.equal(picked.car("a").name, "Car 7.0");
    assert.equal(picked.car("b"), undefined);
  });

  test("a car that is toggled twice is dropped", () => {
    picked.toggle("b", car("7.0"));
    assert.equal(get("morph").b, "7.0");
    picked.toggle("b", car("7.0"));
    assert.equal(get("morph").b, "");
    assert.equal(picked.car("b"), undefined);
  });

  test("other ends begin at the first frame, the same ones keep theirs", () => {
    change("morph", { a: "7.0", b: "7.1", at: 4 });
    picked.set({ a: car("7.0"), b: car("7.1") });
    assert.equal(get("morph").at, 4);
    picked.set({ b: car("7.2") });
    assert.equal(get("morph").at, 0);
  });

  test("ends that change places bring their pictures along", () => {
    picked.set({ a: car("7.0"), b: car("7.1") });
    change("morph", { a: "7.1", b: "7.0" });
    assert.equal(picked.car("a").name, "Car 7.1");
    assert.equal(picked.car("b").name, "Car 7.0");
  });

  test("an end that only the state names has no picture yet", () => {
    picked.set({ a: car("7.0") });
    change("morph", { a: "8.0" });
    assert.equal(picked.car("a"), undefined);
  });
});
