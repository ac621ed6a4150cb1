/**
 * Runs a program of this checkout on the pinned Node: `node tools/node.cjs tools/tidy.ts`. npm scripts go
 * through here, so that any Node from 12 on may start them.
 */
"use strict";
const pinned = require("../bin/pinned-node.js");

const node = pinned.find();
if (process.argv.length < 3 || node === null) {
  const isInstalled = node !== null;
  process.stderr.write(
    isInstalled
      ? "usage: node tools/node.cjs FILE [ARGUMENT...]\n"
      : "No pinned Node here: run `npm ci` first.\n",
  );
  process.exitCode = 1;
} else {
  pinned.become(node, process.argv.slice(2));
}
