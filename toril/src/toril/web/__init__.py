"""The dashboard: queues, jobs and workers in a browser; `Dashboard` is an ASGI application to mount anywhere.

Extra: `pip install 'toril[web]'`. docs/dashboard.md tells how it is mounted, secured and read.
"""

from .access import Act, Identity, anyone
from .dashboard import Dashboard
from .redaction import Place, hide_secrets

__all__ = ["Act", "Dashboard", "Identity", "Place", "anyone", "hide_secrets"]
