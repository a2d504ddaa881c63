"""Certificates for TLS, made for the run."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """Signs certificates, as files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self._folder = folder
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))

    def certificate(self, *names: str) -> Path:
        """A certificate with its key in one file."""
        made = self.authority.issue_cert(*names)
        path = self._folder / f"{names[0]}.pem"
        made.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path
