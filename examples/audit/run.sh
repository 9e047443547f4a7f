#!/usr/bin/env bash
# Audit events, and the chain that shows whether they were changed. README.md shows what it prints.
AUDIT_KEY=${AUDIT_KEY:-$(head -c 32 /dev/urandom | base64)}
export AUDIT_KEY # envoy.yaml lets the gate take it from the environment
. "$(dirname "$0")/../lib.sh"

alice=$(token '{"sub": "alice", "email": "alice@example.com", "groups": ["staff"]}')
admin=$(token '{"sub": "root", "email": "root@example.com", "groups": ["staff", "admin"]}')
batch=$(token '{"sub": "nightly-batch", "client_id": "nightly-batch"}')
expired=$(token "{\"sub\": \"alice\", \"exp\": $(($(date +%s) - 3600))}")

# brief prints the main fields of audit events.
brief() {
  sed -E 's/.*"event_type":"([^"]*)","user_id":([^,]*),.*"is_m2m":([^,]*),"path":([^,]*),.*"status_code":([^,]*),.*"reason":([^,]*),.*/\1 user=\2 m2m=\3 \4 \5 reason=\6/' |
    tr -d '"'
}

say "1: each request leaves one event, health checks none"
request alice GET /api/data
request batch GET /api/data
request nobody GET /api/data
request expired GET /api/data
request nobody GET /health
events 4
brief <"$AUDIT_LOG"

say "   one of them in full"
sed -n 2p "$AUDIT_LOG"

say "2 and 4: the application adds events of its own, by a response header that the client never gets"
# The toy upstream answers with the header that it is asked for.
ask alice POST /api/sensitive-operation -G --data-urlencode \
  'audit_event={"event_type":"operation_success","operation":"data_modification","result":"success"}'
ask alice POST /api/resource/17 -G --data-urlencode 'audit_event={"event_type":"resource_modified","resource_id":17,"changes":{"status":"closed"}}'
events 8
grep -E '"event_type":"(operation_success|resource_modified)"' "$AUDIT_LOG" | brief
grep -oE '"(operation|resource_id)":.*(success"|closed"\})' "$AUDIT_LOG"

say "3: /api/admin-only asks for the group admin"
request admin GET /api/admin-only
request alice GET /api/admin-only
events 10
tail -n 1 "$AUDIT_LOG" | brief
tail -n 1 "$AUDIT_LOG" | grep -o '"required":{[^}]*}'

say "5: a query: what alice did"
grep '"user_id":"alice"' "$AUDIT_LOG" | brief

say "   and a report: who was refused, and why"
"$GATEHOUSE" audit report "$AUDIT_LOG" | sed '/^by route/,$d' | sed '$d'

say "the chain shows whether anybody has changed the log"
cd "$files"
(umask 077 && echo "$AUDIT_KEY" >k1)
"$GATEHOUSE" audit verify --key-file k1=k1 audit.log
sed '2s/nightly-batch/mallory/' audit.log >changed.log
"$GATEHOUSE" audit verify --key-file k1=k1 changed.log || echo "exit code $?"
