#!/usr/bin/env bash
# An MCP server behind the gate. README.md shows what it prints.
toys="--without mcp" # the server is server.py
needs=python3
. "$(dirname "$0")/../lib.sh"

python3 examples/mcp-server/server.py "${MCP#http://}" &
server=$!
trap 'kill $server' EXIT
wait_until curl -s -o "$files/body" "$MCP/"

# call WHO PATH METHOD PARAMS sends a JSON-RPC request and prints the answer.
call() {
  ask "$1" POST "$2" -H 'content-type: application/json' -d "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"$3\", \"params\": $4}"
  printf '%-7s POST %s %s: %s %s\n' "$1" "$2" "$3" "$status" "$(cat "$files/body")"
}
start='{"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "example", "version": "1"}}'
# challenge NAME prints a parameter of the last answer's www-authenticate.
challenge() { sed -nE "s/^www-authenticate: .*$1=\"([^\"]*)\".*/\1/p" "$files/headers"; }

say "1: a client that knows nothing but the server's address is refused, and told where to look"
call nobody /mcp initialize "$start"
header www-authenticate

say "2: there it finds the authorization server and the scopes to ask for"
metadata=$(curl -sS "$(challenge resource_metadata)")
echo "$metadata"

say "3: and there the rest. A person logs in; the toy issuer signs without"
server_url=$(sed -E 's/.*"authorization_servers":\["([^"]*)".*/\1/' <<<"$metadata")
curl -sS "$server_url/.well-known/openid-configuration"
alice=$(token '{"sub": "alice", "aud": "mcp", "scope": "mcp:read"}' "$server_url")

say "4: with the token it talks to the server, which is told who calls and never sees the token"
call alice /mcp initialize "$start"
call alice /mcp tools/list '{}'
call alice /mcp tools/call '{"name": "read_notes"}'

say "5: writing asks for another scope; the client asks the authorization server for it and tries again"
note='{"name": "add_note", "arguments": {"text": "scopes are asked for by path"}}'
call alice /mcp/write tools/call "$note"
header www-authenticate
alice=$(token "{\"sub\": \"alice\", \"aud\": \"mcp\", \"scope\": \"mcp:read $(challenge scope)\"}" "$server_url")
call alice /mcp/write tools/call "$note"

say "6: a token that was meant for another service is worth nothing here"
stolen=$(token '{"sub": "alice", "aud": "orders", "scope": "mcp:read mcp:write"}' "$server_url")
call stolen /mcp tools/call '{"name": "read_notes"}'
