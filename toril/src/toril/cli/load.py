"""Finds the application that `module:app` names."""

from __future__ import annotations

import importlib
import os
import sys

from ..app import Toril
from ..errors import InvalidOption


def load_app(target: str) -> Toril:
    """Import `module:attribute` from the working directory or the path.

    Raises:
        InvalidOption: there is no such module or attribute, or it is no `Toril`.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise InvalidOption(f"{target!r} is not of the form module:app")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not module_name.startswith(error.name):
            raise
        raise InvalidOption(f"no module {module_name!r} here or on the path") from None
    found = getattr(module, attribute, None)
    if found is None:
        raise InvalidOption(f"module {module_name!r} has no {attribute!r}")
    if not isinstance(found, Toril):
        raise InvalidOption(f"{target} is a {type(found).__name__}, not a toril.Toril")
    return found
