"""Every schedule of the helpdesk: the one place that says what runs again and again.

Times are UTC. What is due at an hour of each organization's own zone is found by a scan that runs every
quarter of an hour: zones differ from UTC by whole quarters.
"""

from __future__ import annotations

import toril
from insightdesk.jobs import app
from insightdesk.sla.jobs import scan_sla
from insightdesk.tickets.auto_close.jobs import auto_close_scan

app.schedule("sla-scan", toril.Cron("*/5 * * * *", tz="UTC"), scan_sla)
app.schedule("auto-close", toril.Cron("0 * * * *", tz="UTC"), auto_close_scan)
