#!/usr/bin/env bash
# What the gate counts. README.md shows what it prints.
. "$(dirname "$0")/../lib.sh"

alice=$(token '{"sub": "alice", "email": "alice@example.com"}')
batch=$(token '{"sub": "nightly-batch", "client_id": "nightly-batch"}')
expired=$(token "{\"sub\": \"alice\", \"exp\": $(($(date +%s) - 3600))}")
forged=${alice%.*}.${batch##*.} # the claims of one token, the signature of another
garbage=not-a-token
admin() { curl -sS -f -w '\n' -X "$1" -H "authorization: Bearer $GATEHOUSE_ADMIN_TOKEN" "$ADMIN_API$2"; }
prometheus() { curl -sS "$ENVOY_ADMIN/stats/prometheus" | grep "^gatehouse_$1" | grep -v ' 0$' | LC_ALL=C sort; }

say "some requests: good tokens, bad ones, none"
requests 3 alice /api/data
requests 1 batch /api/data
requests 2 expired /api/data
requests 1 forged /api/data
requests 1 garbage /api/data
requests 1 nobody /api/data
requests 1 nobody /health

say "/metrics: the snapshot, over all workers, at most a second later"
counted() { admin GET /metrics | grep -q '"total_tokens":8[,}]'; }
wait_until counted
admin GET /metrics

say "/metrics/prometheus: the same in exposition format"
admin GET /metrics/prometheus | grep '^auth_'

say "/health: whether the gate can verify tokens, and how well it did"
admin GET /ready
admin GET /metrics | grep -o '"success_rate":[0-9.]*'

say "what Prometheus scrapes from Envoy: by reason, by route, by kind of caller"
the_last() { prometheus requests_total | grep -q 'route="health"'; }
wait_until the_last
prometheus tokens_
prometheus requests_total
prometheus callers_total

say "/admin/metrics/reset: the snapshot begins anew, the counters that Prometheus scrapes go on"
admin POST /metrics/reset >/dev/null
admin GET /metrics
prometheus tokens_validated_total
