"""Which keys this database belongs to."""

from django.db import models

from core.declarations import Declaration


class Keyring(models.Model):
    """One row: the fingerprint of the keys everything here was sealed under. It says nothing about them."""

    DATA = Declaration(safe=("*",))

    fingerprint = models.BinaryField(max_length=16)
    known_since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_keyring")]

    def __str__(self) -> str:
        return "The keyring this database was sealed under"
