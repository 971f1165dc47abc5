// Compiles a Kaitai Struct description: `node compile.mjs FILE.ksy DIRECTORY LANGUAGE...`.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import compiler from "kaitai-struct-compiler";
import { parse } from "yaml";

const [file, directory, ...languages] = process.argv.slice(2);
const description = parse(readFileSync(file, "utf8"));
const importer = {
  importYaml(name) {
    throw new Error(`the description imports ${name}`);
  },
};

for (const language of languages) {
  const sources = await compiler.compile(language, description, importer, false);
  for (const [name, text] of Object.entries(sources)) {
    // The runtime lives beside this script; CommonJS finds nothing else from a directory of its own.
    writeFileSync(join(directory, name.replace(/\.js$/, ".cjs")), text);
  }
}
