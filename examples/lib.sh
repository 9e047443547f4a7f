# What the run.sh of each example sources. The first time around it starts what the example needs
# and runs the same script in it: `gatehouse demo run` starts Envoy with the envoy.yaml beside
# run.sh, a toy issuer or a toy upstream for each of its clusters, everything at free ports, and
# ends it all with the script. A run.sh may set `toys`, further options of that command, and
# `needs`, programs beside curl. Envoy is $ENVOY_BIN, the one on PATH or what `make run ENVOY=1`
# installs.
set -euo pipefail
script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
GATEHOUSE=${GATEHOUSE:-dist/gatehouse}

fail() {
  echo "$*" >&2
  exit 1
}

if [ -z "${EXAMPLE_STARTED:-}" ]; then
  [ -x "$GATEHOUSE" ] || fail "$GATEHOUSE is missing: run 'make build' first"
  for tool in curl ${needs:-}; do
    command -v "$tool" >/dev/null || fail "$tool is missing: install it first"
  done
  export EXAMPLE_STARTED=1
  exec "$GATEHOUSE" demo run "examples/$(basename "$(dirname "$script")")/envoy.yaml" ${toys:-} -- bash "$script"
fi

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
files=$(dirname "$AUDIT_LOG") # ends with the example
nobody=                       # sends no token

say() { printf '\n# %s\n' "$*"; }

# token CLAIMS [ISSUER] prints a token with these claims (JSON) beside iss, aud, iat and exp.
token() { curl -sS -f -d "$1" "${2:-${IDP:-}}/sign"; }

# request WHO METHOD PATH [CURL OPTIONS] sends a request with the token in the variable WHO, and
# prints the status, and the body of a refusal.
request() {
  local who=$1 method=$2 path=$3 body=
  shift 3
  ask "$who" "$method" "$path" "$@"
  [ "$status" -lt 400 ] || body=" $(cat "$files/body")"
  printf '%-8s %-4s %s: %s%s\n' "$who" "$method" "$path" "$status" "$body"
}

# ask is request that prints nothing. The answer is in $status, $files/headers and $files/body.
ask() {
  local bearer=${!1} method=$2 path=$3
  shift 3
  [ -z "$bearer" ] || set -- -H "authorization: Bearer $bearer" "$@"
  status=$(curl -sS -X "$method" -o "$files/body" -D "$files/headers" -w '%{http_code}' "$@" "$GATE$path")
}

# requests N WHO PATH sends a GET N times and prints the statuses.
requests() {
  local i statuses=
  for i in $(seq "$1"); do
    ask "$2" GET "$3"
    statuses+=" $status"
  done
  printf '%-8s GET  %s:%s\n' "$2" "$3" "$statuses"
}

# header NAME… prints these headers of the last answer.
header() {
  local name
  for name in "$@"; do grep -i "^$name:" "$files/headers" | tr -d '\r' | sed 's/^/         /'; done
}

# seen prints what the application was told about the caller of the last request: the toy upstream
# answers with the headers it got.
seen() {
  grep -o '"X-Gatehouse-[^]]*\]' "$files/body" | sed -E 's/^"X-Gatehouse-([^"]*)":\["(.*)"\]$/         X-Gatehouse-\1: \2/'
}

# wait_until COMMAND… tries a command for half a minute at most.
wait_until() {
  local i
  for i in $(seq 300); do
    if "$@"; then return; fi
    sleep 0.1
  done
  fail "in vain for half a minute: $*"
}

# events N waits until there are N audit events.
events() { wait_until has_events "$1"; }
has_events() { [ "$(wc -l <"$AUDIT_LOG")" -ge "$1" ]; }
