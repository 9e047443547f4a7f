#!/usr/bin/env bash
# Tenants with issuers and limits of their own. README.md shows what it prints.
. "$(dirname "$0")/../lib.sh"

acme=$(token '{"sub": "alice"}' "$IDP_ACME")
globex=$(token '{"sub": "alice"}' "$IDP_GLOBEX")
bob=$(token '{"sub": "bob"}' "$IDP_GLOBEX")
forged=$(token "{\"sub\": \"alice\", \"iss\": \"$IDP_ACME\"}" "$IDP_GLOBEX")
# The shared issuer names the tenant in iss and in the claim tid.
shared() { token "{\"sub\": \"$2\", \"iss\": \"$IDP_SHARED/$1/v2.0\", \"tid\": \"$1\"}" "$IDP_SHARED"; }
initech=$(shared initech carol)
umbrella=$(shared umbrella carol)
stranger=$(shared hooli carol)
smuggler=$(token '{"sub": "alice", "tid": "initech"}' "$IDP_ACME")

# at HOST WHO sends a request to a tenant's host.
at() {
  printf '%-15s' "$1"
  request "$2" GET / -H "host: $1"
}

say "each tenant's people get in at their own host, and nowhere else"
at acme.example acme
at globex.example globex
at acme.example globex
at globex.example acme

say "an issuer speaks for its own tenant only: a token of Globex's that says it is Acme's"
at acme.example forged

say "a shared issuer: the tenants that are listed, and no others; nor a token of Acme's that says it is Initech's"
at app.example initech
at app.example umbrella
at app.example stranger
at app.example smuggler

say "Alice of Acme and Alice of Globex are two people, with 3 requests an hour each"
at acme.example acme
at acme.example acme
at acme.example acme
at globex.example globex

say "and each tenant has a limit of its own: Globex 4 an hour for all its people, Acme 100"
at globex.example bob
at globex.example bob
at globex.example bob
header ratelimit-policy ratelimit

say "what Globex used up is no matter to the tenants of the shared issuer"
at app.example initech
header ratelimit
at app.example umbrella
header ratelimit
