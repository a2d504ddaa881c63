"""The address of a handler, `module:qualname`, by which a process of its own finds it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any, Literal, Protocol, runtime_checkable

from ..errors import InvalidOption
from ..record import Job

RunIn = Literal["process"]
"""Where a handler runs when neither the event loop nor a thread is the place for it."""

_MAIN = "__toril_main__"


@runtime_checkable
class Declared(Protocol):
    """A declared job, as the handler's name may stand for one in its module."""

    @property
    def is_async(self) -> bool: ...
    def call(self, job: Job) -> Any: ...


def address_of(handler: Callable[..., object], run_in: RunIn | None) -> str | None:
    """Return the address of a handler that is to run in a process of its own; None if it is not to.

    Raises:
        InvalidOption: `run_in` is unknown, or no other process can import the handler.
    """
    if run_in is None:
        return None
    if run_in != "process":
        raise InvalidOption(f"run_in must be 'process' or None, not {run_in!r}")
    if not inspect.isfunction(handler):
        raise InvalidOption(
            f"run_in='process' needs a function of a module, not a {type(handler).__name__}: "
            "its process finds it as module:name"
        )
    module, name = handler.__module__, handler.__qualname__
    if "<" in name:
        raise InvalidOption(
            f"run_in='process' cannot run {module}:{name}: its process finds it as module:name, "
            "so it must stand at the top of a module, not inside a function"
        )
    return f"{_importable(module)}:{name}"


def _importable(module: str) -> str:
    if module != "__main__":
        return module
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file: str | None = getattr(main, "__file__", None)
    if file is None:
        raise InvalidOption("run_in='process' needs a handler in a file; this one was typed in")
    return os.path.abspath(file)


def load(address: str) -> tuple[Callable[[Job], Any], bool]:
    """Import a handler; returns what runs a job, and whether that is `async def`.

    Raises:
        InvalidOption: the module has no such handler.
        Exception: whatever the module raises when it is imported.
    """
    module_name, _, name = address.rpartition(":")
    found: Any = _import_file(module_name) if module_name.endswith(".py") else None
    if found is None:
        found = importlib.import_module(module_name)
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Declared):
        return found.call, found.is_async
    if not callable(found):
        raise InvalidOption(f"{address} is no handler")
    return found, inspect.iscoroutinefunction(found)


def _import_file(path: str) -> Any:
    # A script that was run by its path; not as `__main__`, lest its process runs the script again.
    if _MAIN not in sys.modules:
        spec = importlib.util.spec_from_file_location(_MAIN, path)
        if spec is None or spec.loader is None:
            raise InvalidOption(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[_MAIN] = module
        spec.loader.exec_module(module)
    return sys.modules[_MAIN]
