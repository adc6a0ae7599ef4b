#!/bin/sh
# Our own runner for the checker: sh our-runner.sh URL TOKEN STATE. The first start with a state directory enrols it.
set -eu
switchyard="$(dirname "$0")/../../runner/bin/switchyard.mjs"
# Another Node may start the right one as a child, which a kill of this process would not reach.
PATH="$(dirname "$0")/../../runner/node_modules/.bin:$PATH"
[ -e "$3/runner/identity.json" ] ||
  printf '%s' "$2" | node "$switchyard" runner enrol --state "$3" --url "$1" --name conformance >/dev/null
exec node "$switchyard" runner start --state "$3" --slots 2
