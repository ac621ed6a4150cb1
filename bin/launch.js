/**
 * Starts one of the commands under a Node that can run it.
 *
 * From a checkout (src/ is there) that is the pinned Node of node_modules, whatever `node` is first on PATH:
 * this process turns itself into it (execve), so that no extra process stands between the caller's signals
 * and the command. In an installed package (dist/ only) it is the Node that runs this file, if it is new
 * enough.
 *
 * Plain CommonJS in syntax that Node 12 reads: an old Node must get as far as the sentence that says so.
 */
"use strict";
const fs = require("fs");
const path = require("path");
const url = require("url");
const pinned = require("./pinned-node.js");

const NODE_MAJOR_MIN = 24;
const ROOT = path.dirname(__dirname);

module.exports = function launch(command) {
  const source = path.join(ROOT, "src", "cli", `${command}.ts`);
  if (!fs.existsSync(source)) {
    if (nodeMajor() < NODE_MAJOR_MIN) refuse(command);
    else run(path.join(ROOT, "dist", "cli", `${command}.js`));
    return;
  }
  const node = pinned.find();
  if (node !== null && !pinned.isThis(node)) pinned.become(node, process.argv.slice(1));
  else if (node === null && nodeMajor() < NODE_MAJOR_MIN) refuse(command);
  else run(source);
};

function nodeMajor() {
  return Number(process.versions.node.split(".")[0]);
}

function refuse(command) {
  process.stderr.write(
    command +
      " needs Node.js " +
      NODE_MAJOR_MIN +
      " or newer, and this is " +
      process.version +
      ": install a current one from https://nodejs.org (in a checkout, `npm ci` brings it along).\n",
  );
  process.exitCode = 1;
}

/** Runs the command here, and exits with its status even if something it started is still open. */
function run(file) {
  import(url.pathToFileURL(file).href)
    .then((module) => module.main(process.argv.slice(2), process.env))
    .then((status) => {
      process.stdout.write("", () => {
        process.exit(status);
      });
    })
    .catch((error) => {
      process.stderr.write(`${String((error && error.stack) || error)}\n`);
      process.exit(1);
    });
}
