import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

import { format, read } from "../../static/links.js";
import { enter, toParams } from "../../static/state.js";

const SCRIPT = readFileSync(new URL("../../static/start.js", import.meta.url), "utf8");

/** What start.js asks for and writes into the address, where the page is opened with this one. */
function start(hash) {
  const seen = { hash, asked: "" };
  const context = {
    AbortController, URLSearchParams, crypto, location: { hash }, document: { documentElement: { dataset: {} } },
    history: { replaceState: (_state, _title, address) => { seen.hash = address; } },
    fetch: (path) => { seen.asked = path; return Promise.resolve(); },
  };
  context.window = context;
  runInContext(SCRIPT, createContext(context));
  return seen;
}

for (const hash of ["", "#random", "#random?seed=7", "#random?seed=7&count=3&temperature=0.5", "#random?count=64"]) {
  test(`opened with ${hash || "no address"}, the first cars are those that the view's state names`, () => {
    const { hash: written, asked } = start(hash);
    enter("random", read(written).params);
    assert.equal(format("random", toParams("random")), written);
    const query = new URL(asked, "http://page").searchParams;
    const { seed, temperature, count } = toParams("random");
    assert.deepEqual([query.get("seed"), query.get("temperature")], [seed, String(temperature)]);
    assert.equal(Number(query.get("count")), Math.min(count, 12));
  });
}
