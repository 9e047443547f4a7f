"""An application on Django and its own server. Arguments: the port, what the protected resource says."""
import sys

from django.conf import settings
from django.core.servers.basehttp import run
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path, re_path

port, secret = sys.argv[1:]
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="for a test", MIDDLEWARE=["django.middleware.common.CommonMiddleware"])
urlpatterns = [
    path("admin/secret", lambda request: HttpResponse(secret)),
    path("admin/secret/", lambda request: HttpResponse(secret)),
    re_path("", lambda request: HttpResponse("nothing here")),
]
run("127.0.0.1", int(port), get_wsgi_application(), threading=True)
