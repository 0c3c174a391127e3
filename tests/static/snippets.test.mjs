import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { carCall, curl, embed, javascript, latentsFile, python } from "../../static/snippets.js";

const BASE = "https://cars.example/api";
const SHEET = { path: "/random", query: { seed: "7", count: 12, temperature: 0.5 } };

describe("a car's call", () => {
  test("is by its seed and place where it has them", () => {
    assert.deepEqual(carCall("7.3@0.5"), { path: "/random", query: { seed: 7, first: 3, count: 1, temperature: 0.5 } });
  });

  test("is by its whole latent where that is known, else by the one in its reference", () => {
    assert.deepEqual(carCall("zAAAAAAAA", [1, 2]), { path: "/decode", json: { latents: [[1, 2]] } });
    assert.equal(carCall("zAAAAAAAA").json.latents.length, 1);
    assert.equal(carCall("rubbish"), null);
  });
});

describe("code", () => {
  test("names seed, count and temperature", () => {
    for (const language of [curl, python, javascript]) {
      assert.match(language(SHEET, BASE), /https:\/\/cars\.example\/api\/random\?seed=7&count=12&temperature=0\.5/);
    }
  });

  test("keeps the name of a file in one word, whatever is in it", () => {
    const call = { path: "/reconstruct", file: { name: "it's \"my\" car.jpg", type: "image/jpeg" } };
    assert.ok(curl(call, BASE).includes("'@it'\\''s \"my\" car.jpg'"));
    assert.ok(python(call, BASE).includes('open("it\'s \\"my\\" car.jpg", "rb")'));
  });

  test("reads many latents from a file, and holds a single one itself", () => {
    const many = { path: "/decode", json: { latents: [[1], [2]] } };
    assert.equal(latentsFile(many), '{"latents":[[1],[2]]}');
    const single = { path: "/decode", json: { latents: [[1.5]] } };
    assert.equal(latentsFile(single), null);
    for (const language of [curl, python, javascript]) {
      assert.ok(language(many, BASE).includes("latents.json"));
      assert.ok(language(single, BASE).includes("[1.5]"));
    }
  });
});

describe("what another page embeds", () => {
  test("is the picture of a sheet, with a link to it", () => {
    const html = embed(SHEET, BASE, "https://cars.example/#random?seed=7&count=12");
    assert.match(html, /href="https:\/\/cars\.example\/#random\?seed=7&amp;count=12"/);
    assert.match(html, /src="https:\/\/cars\.example\/api\/random\?seed=7&amp;count=12&amp;temperature=0\.5"/);
  });

  test("is the preview of a single car, with its page", () => {
    const html = embed({ path: "/random", query: { seed: 7, first: 3, count: 1, temperature: 0.5 } }, BASE, "");
    assert.match(html, /href="https:\/\/cars\.example\/api\/car\/7\.3@0\.5"/);
    assert.match(html, /src="https:\/\/cars\.example\/api\/car\/7\.3@0\.5\/preview"/);
  });

  test("is nothing where the cars have no address", () => assert.equal(embed({ path: "/decode", json: {} }, BASE, ""), ""));
});
