import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../../static/", import.meta.url);
const SCRIPTS = ["config.js", "reference.js", "start.js"]; // are no modules

for (const name of readdirSync(FOLDER).filter((each) => each.endsWith(".js") && !SCRIPTS.includes(each))) {
  test(`${name} can be imported without a page`, async () => {
    assert.equal(globalThis.document, undefined);
    await import(new URL(name, FOLDER));
  });
}
