"""Three calls with grpcio and its retry policy, which obeys grpc-retry-pushback-ms. The third one meets the limit first.

The script is the upstream too. It prints its port, then reads the gate's address and the token
from standard input.
"""
import json
from concurrent import futures

import grpc

METHOD = "/orders.Orders/Get"

handlers = {"Get": grpc.unary_unary_rpc_method_handler(lambda request, context: request)}
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("orders.Orders", handlers)])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()

gate, token = input().split()
policy = {
    "maxAttempts": 2,
    # Without the pushback the retry would come this soon, and be refused.
    "initialBackoff": "0.01s",
    "maxBackoff": "0.01s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
}
config = {"methodConfig": [{"name": [{"service": "orders.Orders"}], "retryPolicy": policy}]}
with grpc.insecure_channel(gate, options=[("grpc.service_config", json.dumps(config))]) as channel:
    call = channel.unary_unary(METHOD)
    for _ in range(3):
        _, answer = call.with_call(b"order", metadata=[("authorization", "Bearer " + token)], timeout=60)
        print(answer.code().name)
server.stop(None)
