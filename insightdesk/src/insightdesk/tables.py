"""Every table, imported once, so that the metadata is whole wherever it is asked."""

from __future__ import annotations

import insightdesk.accounts.models
import insightdesk.admin.models
import insightdesk.dead_letters.models
import insightdesk.email.models
import insightdesk.realtime.models
import insightdesk.reports.exports.models
import insightdesk.reports.local_runs.models
import insightdesk.retention.models
import insightdesk.sla.models
import insightdesk.tickets.auto_close.models
import insightdesk.tickets.models  # noqa: F401 - imported for its tables
from insightdesk.database import Base

metadata = Base.metadata
