"""A server of the Model Context Protocol (JSON-RPC over HTTP) behind the gate: python3 server.py HOST:PORT.

Nothing in it is about tokens. Who calls is in x-gatehouse-user-id, which nobody but the gate can set. /mcp has the tools that read,
/mcp/write those that write: the gate asks for a scope by path, because it doesn't read bodies.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

notes = ["the gate keeps the tokens"]


def read_notes(user, arguments):
    return f"{user} reads: {'; '.join(notes)}"


def add_note(user, arguments):
    notes.append(str(arguments["text"]))
    return f"{user} added a note, which makes {len(notes)}"


TOOLS = {"/mcp": {"read_notes": read_notes}, "/mcp/write": {"add_note": add_note}}


def answer(tools, user, method, params):
    """The result of a JSON-RPC method."""
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "notes", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in tools]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": tools[params["name"]](user, params.get("arguments", {}))}]}
    raise KeyError(method)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        assert "authorization" not in self.headers, "the gate keeps the token ('forward_token': false)"
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "id" not in request:  # a notification
            return self.reply(202, b"")
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            user = self.headers["x-gatehouse-user-id"]
            reply["result"] = answer(TOOLS[self.path], user, request["method"], request.get("params", {}))
        except KeyError as missing:
            reply["error"] = {"code": -32601, "message": f"there is no {missing}"}
        self.reply(200, json.dumps(reply).encode())

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The audit log has it all."""


host, port = sys.argv[1].rsplit(":", 1)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
