#!/usr/bin/env bash
# Sliding-window limits. README.md shows what it prints.
. "$(dirname "$0")/../lib.sh"

alice=$(token '{"sub": "alice"}')
bob=$(token '{"sub": "bob"}')
admin() { curl -sS -f -w '\n' -X "$1" -H "authorization: Bearer $GATEHOUSE_ADMIN_TOKEN" "$ADMIN_API$2"; }

say "1: /api/limited, 5 a minute"
requests 6 nobody /api/limited

say "2: /api/user-limited, 10 an hour for each user; for each address if there is no token"
requests 11 alice /api/user-limited
requests 1 bob /api/user-limited
requests 1 nobody /api/user-limited

say "3: /api/manual-limit, 10 an hour for each address, whoever is behind it"
requests 5 alice /api/manual-limit
requests 6 bob /api/manual-limit

say "4: different limits for different endpoints"
requests 6 nobody /api/light
requests 6 nobody /api/heavy

say "5: the headers tell clients where they stand; a refusal says when to come back"
request nobody GET /api/light
header x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset ratelimit-policy ratelimit
request nobody GET /api/heavy
header retry-after

say "   and who waits that long is admitted: /api/short, 1 in any 3 seconds"
refused() {
  ask nobody GET /api/short
  [ "$status" = 429 ]
}
wait_until refused
sleep "$(sed -n 's/^retry-after: \([0-9]*\).*/\1/p' "$files/headers")"
request nobody GET /api/short

say "6: get_remaining looks, and takes nothing"
admin GET /rate-limits/user-limited/user_id=main/alice
admin GET /rate-limits/user-limited/user_id=main/bob

say "   reset for one caller"
admin DELETE /rate-limits/user-limited/user_id=main/alice >/dev/null
requests 1 alice /api/user-limited

say "   clear_all"
admin DELETE /rate-limits >/dev/null
requests 1 nobody /api/limited
