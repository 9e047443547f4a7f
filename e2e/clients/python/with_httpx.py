"""Three requests with httpx and httpx-retries, which obeys Retry-After. The third one meets the limit first."""
import os

import httpx
from httpx_retries import Retry, RetryTransport

transport = RetryTransport(retry=Retry(total=1, status_forcelist=[429, 503], respect_retry_after_header=True))
with httpx.Client(transport=transport, headers={"authorization": "Bearer " + os.environ["TOKEN"]}, timeout=60) as client:
    for _ in range(3):
        print(client.get(os.environ["URL"]).status_code)
