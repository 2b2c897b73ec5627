"""Which Run a handle means: what both clients' handles know without asking anybody."""

from __future__ import annotations

from typing import NoReturn

from kruntimes import _flow
from kruntimes._models import Reference


class Identity:
    """One Run, known by the object that the API server gave when it was made or found."""

    def __init__(self, found: _flow.Object) -> None:
        self._found = found

    @property
    def name(self) -> str:
        """The Run's name."""
        return self.reference["name"]

    @property
    def namespace(self) -> str:
        """The Run's namespace."""
        return self.reference["namespace"]

    @property
    def uid(self) -> str:
        """What tells this Run from any other that had or will have its name."""
        return self.reference["uid"]

    @property
    def reference(self) -> Reference:
        """What another process finds the Run by: `client.get(**reference)`; JSON and pickle take it."""
        return _flow.reference(self._found)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.namespace}/{self.name})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, and say what can be."""
        raise TypeError(
            "a handle belongs to its client and cannot be pickled: store handle.reference, and "
            "pick the Run up again with client.get(**reference)"
        )
