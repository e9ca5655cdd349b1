"""What a local run keeps beside the product's own tables: the mails its catcher took."""

from email.utils import parseaddr

from django.db import models

from core.declarations import Declaration
from core.fields import uuid_pk
from phi.fields import EncryptedJSONField, EncryptedTextField


class CapturedMail(models.Model):
    """One mail as it came over the wire. A mail is PHI, so it lies here as ciphertext only."""

    DATA = Declaration(encrypted=("summary", "message"), safe=("*",))

    id = uuid_pk()
    arrived_at = models.DateTimeField(db_index=True)
    #: For the list: {"to", "from", "subject"}.
    summary = EncryptedJSONField()
    #: The message's bytes, one character each (ISO 8859-1), so that it is kept exactly.
    message = EncryptedTextField()
    size = models.PositiveIntegerField()
    tls = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"Captured mail {self.pk}"

    @property
    def sender_name(self) -> str:
        """Who it says it is from, without the address where there is a name."""
        name, address = parseaddr(self.summary["from"])
        return name or address

    @property
    def tls_version(self) -> str:
        return self.tls.partition(" ")[0]
