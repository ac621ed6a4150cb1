#!/bin/sh
# The whole comparison with other proxies in one command: see bench/run.sh --help, and docs/benchmarks.md.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
if [ ! -d "$root/node_modules" ]; then
  echo "bench/run.sh: run 'npm ci' in $root first" >&2
  exit 1
fi
if [ "${1:-}" = --install ]; then
  exec node "$root/tools/node.cjs" "$here/install.ts"
fi
exec node "$root/tools/node.cjs" "$here/full/run.ts" "$@"
