import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { format, latentReference, parseReference, read, seedReference } from "../../static/links.js";

describe("an address", () => {
  test("is read into view, parameters and model", () => {
    assert.deepEqual(read("#morph?a=7.0&b=7.1&model=cars-1"), { view: "morph", params: { a: "7.0", b: "7.1" }, model: "cars-1" });
  });

  test("of nothing, or of no view that there is, is the first view's", () => {
    for (const hash of ["", "#", "#garage", "#random"]) assert.deepEqual(read(hash), { view: "random", params: {}, model: "" });
  });

  test("leaves out what has no value", () => {
    assert.equal(format("random", { seed: "7", count: 0, like: "", model: undefined }), "#random?seed=7&count=0");
    assert.equal(format("tune"), "#tune");
  });

  test("keeps characters that mean something in it", () => {
    const params = { car: "a&b=c#d?e" };
    assert.deepEqual(read(format("tune", params)).params, params);
  });
});

test("links of seeds stay under 200 characters behind the longest of usual addresses", () => {
  const model = "carvae-0123456789ab";
  const car = seedReference(9007199254740991, 63, 0.55);
  for (const hash of [
    format("random", { seed: "9007199254740991", count: 64, temperature: 0.5, like: car, model }),
    format("morph", { a: car, b: car, method: "slerp", steps: 32, at: 31, model }),
    format("tune", { car, dials: "-1.5,-2.5,-3,0.5,1.5", model }),
    format("map", { car, x: 1, y: 2, at: "-6,-6", model }),
  ]) assert.ok(`https://d1234567890abc.cloudfront.net/${hash}`.length < 200, hash);
});

describe("a reference", () => {
  test("to a random car names its temperature where it is not 1", () => {
    assert.equal(seedReference(7, 3), "7.3");
    assert.equal(seedReference("7", 3, 0.5), "7.3@0.5");
    assert.deepEqual(parseReference("7.3"), { seed: 7, index: 3, temperature: 1 });
    assert.deepEqual(parseReference("7.3@0.5"), { seed: 7, index: 3, temperature: 0.5 });
  });

  test("to a latent keeps every number within half a step of 1/127 of the largest", () => {
    const latent = Array.from({ length: 512 }, (_, i) => 4 * Math.sin(i * i));
    const found = parseReference(latentReference(latent));
    assert.equal(found.latent.length, 512);
    latent.forEach((z, i) => assert.ok(Math.abs(z - found.latent[i]) <= 2.001 / 127));
  });

  test("to a latent of zeros is one of zeros", () => {
    assert.deepEqual(parseReference(latentReference([0, 0, 0, 0])), { latent: [0, 0, 0, 0] });
  });

  test("to a latent needs no escapes in an address", () => {
    assert.match(latentReference(Array.from({ length: 64 }, (_, i) => i - 32)), /^z[\w-]+$/);
  });

  test("that is damaged is none", () => {
    for (const text of ["", "7", "7.", "7.100", "x7.1", "zAAAA", "z!!!!!!!!", "zf4AAAAAA"]) assert.equal(parseReference(text), null, text);
  });
});
