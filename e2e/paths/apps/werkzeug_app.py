"""An application on Werkzeug. Arguments: the port, what the protected resource says."""
import sys

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

port, secret = sys.argv[1:]
routes = Map([Rule("/admin/secret", endpoint="secret"), Rule("/<path:rest>", endpoint="other")])


@Request.application
def app(request):
    try:
        endpoint, _ = routes.bind_to_environ(request.environ).match()
    except HTTPException as refusal:
        return refusal
    return Response(secret if endpoint == "secret" else "nothing here")


run_simple("127.0.0.1", int(port), app, threaded=True)
