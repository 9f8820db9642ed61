"""How the connections to Kafka are secured. Nothing of kafka-python is imported here."""

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Security:
    """TLS and SASL settings of a client. Files are in PEM."""

    protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    def __str__(self) -> str:
        return (
            f"{self.protocol} with {self.mechanism} as {self.username}" if self._has_user else self.protocol
        )

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context of the connections; None without TLS."""
        if not self.protocol.endswith("SSL"):
            return None
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if self.certificate_file:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def user(self) -> dict[str, str]:
        """The SASL mechanism, user and password, as settings of the library; empty without SASL."""
        if not self._has_user:
            return {}
        return {
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    @property
    def _has_user(self) -> bool:
        return self.protocol.startswith("SASL")
