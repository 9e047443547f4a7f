"""Three requests with urllib3, whose Retry obeys Retry-After. The third one meets the limit first."""
import os

import urllib3

retry = urllib3.Retry(total=1, status_forcelist=[429, 503], backoff_factor=0, respect_retry_after_header=True)
http = urllib3.PoolManager(retries=retry, headers={"authorization": "Bearer " + os.environ["TOKEN"]})
for _ in range(3):
    print(http.request("GET", os.environ["URL"]).status)
