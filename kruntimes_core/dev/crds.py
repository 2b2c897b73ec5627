"""Where this project's own CRDs are found, in a checkout or in an installed wheel; it never changes them."""

from pathlib import Path
from typing import Any

import yaml

_INSTALLED = Path(__file__).with_name("crds")
_CHECKOUT = Path(__file__).parents[2] / "charts" / "kruntimes-crds" / "templates"


def crds_directory() -> Path:
    """The folder with the CRD manifests: the chart's in a checkout, the copy beside this file in a wheel."""
    for folder in (_INSTALLED, _CHECKOUT):
        if any(folder.glob("*.yaml")):
            return folder
    raise FileNotFoundError(
        f"the CRDs of kruntimes are neither in {_INSTALLED} nor in {_CHECKOUT}; reinstall kruntimes"
    )


def load_crds(folder: Path | None = None) -> list[dict[str, Any]]:
    """Every CustomResourceDefinition of the folder, by default this project's own."""
    manifests: list[dict[str, Any]] = []
    for file in sorted((folder or crds_directory()).glob("*.yaml")):
        manifests += [m for m in yaml.safe_load_all(file.read_text(encoding="utf-8")) if m]
    return manifests
