import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/vendor/", "**/node_modules/", "build/", ".venv/"] },
  js.configs.recommended,
  { files: ["static/*.js"], languageOptions: { globals: { ...globals.browser, $: "readonly" } } },
  { files: ["static/config.js", "static/reference.js", "static/start.js"], languageOptions: { sourceType: "script" } },
  { files: ["tests/static/*.mjs"], languageOptions: { globals: globals.nodeBuiltin } },
  { files: [".ci/*.mjs"], languageOptions: { globals: globals.nodeBuiltin } },
  { files: ["deploy/*.js"], languageOptions: { sourceType: "commonjs", globals: globals.node } },
];
