"""How a TLS connection is secured, from the parameters of a URL."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import StrEnum

from ..errors import InvalidOption


class Verify(StrEnum):
    """What is asked of the server's certificate."""

    FULL = "full"
    """A known authority has signed it, and it is made out to the host of the URL."""
    CA = "ca"
    """A known authority has signed it, for whatever host."""
    NONE = "none"
    """Nothing: whoever stands in between can read and write all."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM format, and what is verified.

    Attributes:
        ca: The authorities' certificates; the system's if None.
        certificate, key: The client's own; the key may stand in the certificate's file.
        verify: What is asked of the server's certificate.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: Verify = Verify.FULL

    def context(self) -> ssl.SSLContext:
        """Read the files; made anew for each connection, so that renewed certificates count.

        Raises:
            InvalidOption: a file cannot be read, or is no such thing.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(file for file in (self.ca, self.certificate, self.key) if file)
            raise InvalidOption(f"TLS files {files} cannot be used: {error}") from None
        if self.verify is not Verify.FULL:
            context.check_hostname = False
        if self.verify is Verify.NONE:
            context.verify_mode = ssl.CERT_NONE
        return context
