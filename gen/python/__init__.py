"""Modules for programs that run at the top of the checkout."""

import importlib.util
import pathlib
import sys

if importlib.util.find_spec("orchestrator_client") is None:
    # The client is not installed: the one that lies here is taken.
    sys.path.append(str(pathlib.Path(__file__).parent))
