#!/usr/bin/env bash
# Humans and machines at the same gate. README.md shows what it prints.
. "$(dirname "$0")/../lib.sh"

human=$(token '{"sub": "user-12345", "cognito:username": "john.doe", "email": "john.doe@example.com", "token_use": "access", "client_id": "web"}')
machine=$(token '{"sub": "service-account-123", "client_id": "7a8b9c0d1e2f", "token_use": "access", "scope": "jobs/read jobs/write"}')
reader=$(token '{"sub": "service-account-456", "client_id": "report-reader", "token_use": "access", "scope": "jobs/read"}')

say "/user-only is for both, and the application is told which"
request human GET /user-only
seen
request machine GET /user-only
seen

say "/humans-only"
request human GET /humans-only
request machine GET /humans-only

say "/m2m-only"
request human GET /m2m-only
request machine GET /m2m-only

say "machines have permissions of their own: /batch/run asks for the scope jobs/write"
request machine POST /batch/run
request reader POST /batch/run
request human POST /batch/run

say "/token-info: what the detector reads in a token's claims"
claims='{"sub": "service-account-123", "client_id": "7a8b9c0d1e2f", "token_use": "access", "scope": "jobs/read jobs/write"}'
"$GATEHOUSE" token inspect --profile cognito <<<"$claims"

say "why the default profile wants evidence: a human's access token, without e-mail and name"
claims='{"sub": "user-12345", "client_id": "web", "scope": "openid"}'
for profile in cognito auto; do
  echo "$profile: $("$GATEHOUSE" token inspect --profile "$profile" <<<"$claims" | grep -o '"caller":"[a-z]*"')"
done
