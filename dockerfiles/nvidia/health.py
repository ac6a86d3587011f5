"""Ends with 0 when every OpenAI-compatible server answers. Usage: health.py PORT..."""

import sys
import urllib.error
import urllib.request

for port in sys.argv[1:]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=10) as answer:
            if answer.status != 200:
                sys.exit(f"port {port} answers {answer.status}")
    except (urllib.error.URLError, OSError) as error:
        sys.exit(f"port {port}: {error}")
