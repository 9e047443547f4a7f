#!/usr/bin/env bash
# Envoy's jwt_authn verifies, Gatehouse does the rest. README.md shows what it prints.
. "$(dirname "$0")/../lib.sh"

human=$(token '{"sub": "alice", "email": "alice@example.com"}')
machine=$(token '{"sub": "nightly-batch", "client_id": "nightly-batch", "scope": "jobs/write"}')
expired=$(token "{\"sub\": \"alice\", \"exp\": $(($(date +%s) - 3600))}")
other=$(token '{"sub": "alice", "aud": "another-service"}')
forged=${human%.*}.${machine##*.} # the claims of one token, the signature of another

say "jwt_authn says that the token is good; Gatehouse says who that is, and whether they may"
request human GET /account/me
seen
request machine GET /account/me
request machine POST /batch/run
request human POST /batch/run

say "bad tokens pass jwt_authn, with its verdict, and Gatehouse refuses them; none at all is fine on /public"
request expired GET /account/me
request forged GET /account/me
request other GET /account/me
request nobody GET /account/me
request nobody GET /public/prices
request expired GET /public/prices

say "a token in the query is none"
request nobody GET "/account/me?access_token=$human" | sed 's/access_token=[^:]*/access_token=TOKEN/'

say "a limit for each caller: 3 an hour, of which she has used one"
requests 3 human /

say "the audit log knows all of them"
events 14
sed -E 's/.*"event_type":"([^"]*)","user_id":([^,]*),.*"path":("[^"]*"),.*"reason":([^,]*),.*/\1 \2 \3 \4/' "$AUDIT_LOG" | tr -d '"'
