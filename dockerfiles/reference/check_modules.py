"""Build step: fail unless every module named can be found. Usage: check_modules.py MODULE..."""

import importlib.util
import sys

missing = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(
        f"error: the image lacks {', '.join(missing)}: its base has to bring what no package index has; "
        "name one that does with --base-image"
    )
