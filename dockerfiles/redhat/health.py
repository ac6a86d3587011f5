"""Ends with 0 when the OpenAI-compatible server says that it serves. Usage: health.py URL"""

import sys
import urllib.error
import urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:  # noqa: S310 - our own server, http
        sys.exit(0 if answer.status == 200 else f"{sys.argv[1]} answers {answer.status}")
except (urllib.error.URLError, OSError) as error:
    sys.exit(f"{sys.argv[1]}: {error}")
