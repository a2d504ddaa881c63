"""Finds the application that `module:app` names."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

from ..app import Toril
from ..errors import InvalidOption, TorilError
from ..failure import reason_of


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
        if error.name and module_name.startswith(error.name):
            raise InvalidOption(f"no module {module_name!r} here or on the path") from None
        raise _broken(module_name, error) from None
    except TorilError:
        raise
    except Exception as error:  # noqa: BLE001 - a module may raise anything
        raise _broken(module_name, error) from None
    found = getattr(module, attribute, None)
    if found is None:
        raise InvalidOption(f"module {module_name!r} has no {attribute!r}")
    if not isinstance(found, Toril):
        raise InvalidOption(f"{target} is a {type(found).__name__}, not a toril.Toril")
    return found


def _broken(module_name: str, error: Exception) -> InvalidOption:
    # Without the frames of this module and of importlib, which tell nothing.
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_globals.get("__name__", "")):
        trace = trace.tb_next
    traceback.print_exception(error.with_traceback(trace))
    return InvalidOption(f"module {module_name!r} cannot be imported: {reason_of(error)}")


def _is_ours(module: str) -> bool:
    return module.startswith(("importlib", "toril."))
