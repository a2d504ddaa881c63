"""What the probes look at."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base


class WorkerHeartbeat(Base):
    """A worker process that lives, and since when it was last seen. The installation's, not a tenant's."""

    __tablename__ = "worker_heartbeats"

    worker: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]
