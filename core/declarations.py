"""What a table holds, said beside the table (SEC-01); `manage.py datamap` prints it."""

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Declaration:
    """Every concrete field of a model stands in exactly one of these.

    `sealed`: ciphertext under a contact's own key · `encrypted`: ciphertext under the deployment's key ·
    `wrapped`: key material wrapped by the key-encryption key · `blind`: keyed hash of a unique value ·
    `staff`: identity of the workforce, not PHI · `safe`: neither identity nor health; ("*",) means all the rest.
    """

    sealed: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()
    wrapped: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    safe: tuple[str, ...] = ()

    def classes(self, names: list[str]) -> dict[str, list[str]]:
        """The fields called `names` by class. ValueError for one that stands nowhere or twice, or is not among them."""
        named = [name for _, group in self._groups() for name in group]
        if unknown := set(named) - set(names):
            raise ValueError(f"declared, but there is no such field: {', '.join(sorted(unknown))}")
        if twice := {name for name in named if named.count(name) > 1}:
            raise ValueError(f"declared twice: {', '.join(sorted(twice))}")
        rest = [name for name in names if name not in named]
        if rest and self.safe[-1:] != ("*",):
            raise ValueError(f"not declared: {', '.join(rest)}")
        found = {kind: list(group) for kind, group in self._groups()}
        found["safe"] += rest
        return {kind: group for kind, group in found.items() if group}

    def _groups(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for kind in fields(self):
            yield kind.name, tuple(name for name in getattr(self, kind.name) if name != "*")
