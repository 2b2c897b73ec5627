"""Which resources are served, and what is particular about each; it never holds an object."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kruntimes_core.dev.apiserver.schema import Schema

Object = dict[str, Any]
Path = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """One column of the table that kubectl prints."""

    name: str
    type: str
    path: str
    priority: int = 0
    description: str = ""
    format: str = ""


NAME = Column(
    "Name", "string", ".metadata.name", description="Unique among its kind in the namespace.", format="name"
)


@dataclass(frozen=True)
class Scale:
    """Where a scalable resource keeps its replicas."""

    spec: Path
    status: Path
    selector: Path | None = None


@dataclass(frozen=True)
class Form:
    """Another form in which objects of a resource are served; they are kept in that resource's own."""

    kept: "Resource"
    shown: Callable[[Object], Object]
    stored: Callable[[Object], Object]


@dataclass(frozen=True, eq=False)
class Resource:
    """One served resource of one version."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    scale: Scale | None = None
    has_log: bool = False
    selectable: Mapping[str, Path] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    counts_generations: bool = True
    update_needs_version: bool = False
    custom: bool = False
    schema: "Schema | None" = None
    form: Form | None = None

    @property
    def api_version(self) -> str:
        """`group/version`, or the bare version in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def bucket(self) -> str:
        """Where the objects are kept, the same for all versions."""
        return f"{self.kept.group}/{self.plural}"

    @property
    def kept(self) -> "Resource":
        """The resource in whose form the objects are kept: itself, as a rule."""
        return self.form.kept if self.form else self

    def shown(self, obj: Object) -> Object:
        """An object that is kept, as this resource shows it."""
        if self.form is not None:
            return self.form.shown(obj)
        return obj if obj["apiVersion"] == self.api_version else obj | {"apiVersion": self.api_version}

    def stored(self, obj: Object) -> Object:
        """An object of this resource's form, as it is kept."""
        return self.form.stored(obj) if self.form else obj

    @property
    def list_kind(self) -> str:
        """Kind of a list of them."""
        return f"{self.kind}List"

    def selects(self, field_name: str) -> bool:
        """Whether a field selector may name this field."""
        if field_name == "metadata.namespace":
            return self.namespaced
        return field_name == "metadata.name" or field_name in self.selectable

    @property
    def field_refusal(self) -> str:
        """What is said of a field that no selector may name."""
        if self.custom or self.selectable:
            return "field label not supported: {}"
        return '"{}" is not a known field selector: only "metadata.name", "metadata.namespace"'

    def fields(self, obj: Object) -> dict[str, str]:
        """The values a field selector sees."""
        metadata = obj["metadata"]
        values = {"metadata.name": metadata["name"]}
        if "namespace" in metadata:
            values["metadata.namespace"] = metadata["namespace"]
        for name, path in self.selectable.items():
            value: Any = obj
            for key in path:
                value = value.get(key) if type(value) is dict else None
                if value is None:
                    break
            else:
                values[name] = value if type(value) is str else _text(value)
        return values


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Registry:
    """The resources served now, by group, version and plural."""

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve a resource, or its newer form."""
        self._served[resource.group, resource.version, resource.plural] = resource

    def remove(self, group: str, plural: str) -> None:
        """Serve none of its versions any more."""
        for key in [k for k in self._served if k[0] == group and k[2] == plural]:
            del self._served[key]

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at this address."""
        return self._served.get((group, version, plural))

    def of_group(self, group: str, plural: str) -> Resource | None:
        """Any version of a resource."""
        return next((r for r in self if r.group == group and r.plural == plural), None)

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._served.values()))

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Group -> version -> resources, in the order they came."""
        found: dict[str, dict[str, list[Resource]]] = {}
        for resource in self:
            found.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        return found
