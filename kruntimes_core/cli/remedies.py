"""What a person does about an error, by one table for each kind of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from kruntimes import ApiError, Conflict, Forbidden, NotConfigured, NotFound, Refused, Unreachable

# By the field that the API server refuses, the longest that fits first.
FIELDS: Mapping[str, str] = {
    "metadata.name": "--name takes lower case letters, digits, - and ., with a letter or digit at both ends",
    "spec.runtime": "--runtime takes the name of a Runtime; `krt get runtimes` shows those there are",
    "spec.timeout": "--timeout takes a time longer than zero such as 1.5s, 500ms or 2m30s",
    "spec.queueTimeout": "queueTimeout takes a time longer than zero such as 1.5s, 500ms or 2m30s",
    "spec.resources": "amounts are written as --cpu 0.5 or 500m, --memory 128Mi or 2Gi",
    "spec.source": "a program is at most 256 KiB of text; take what is larger along with --file",
    "spec.files": "--file takes along at most 1 MiB for each file, to a TARGET inside the workspace",
    "spec.stdin": "standard input is at most 64 KiB; take what is larger along with --file",
    "spec.env": "--env takes NAME=VALUE, where NAME is letters, digits and _, and begins with no digit",
    "spec.retryPolicy": "--retry takes a whole number from 0 to 9",
}
KUBECONFIG = "name a kubeconfig with --kubeconfig or KUBECONFIG; `krt dev up` makes one for this machine"
FILES: Mapping[type[OSError], str] = {
    FileNotFoundError: "see that the path is right; a command line goes after --, as in `krt run -- ls`",
    IsADirectoryError: "name a file in it",
    PermissionError: "see with `ls -l` who may read it",
}


def remedy(error: BaseException) -> str:
    """Return what to do about an error; empty when its own words say so, or nobody knows."""
    if isinstance(error, Refused):
        return _refused(error)
    if isinstance(error, NotFound):
        return _not_found(str(error))
    if isinstance(error, Conflict):
        return "take another --name, or delete the other one first" if "exists" in str(error) else "try again"
    if isinstance(error, Forbidden):
        return _forbidden(error)
    if isinstance(error, NotConfigured):
        return "" if "krt dev up" in str(error) or "no context" in str(error) else KUBECONFIG
    if isinstance(error, ApiError | Unreachable):
        return "" if "krt dev up" in str(error) else "`krt doctor` looks what is wrong with the connection"
    if isinstance(error, OSError):
        return next((text for kind, text in FILES.items() if isinstance(error, kind)), "")
    return ""


def _refused(error: Refused) -> str:
    # The last are the words of a real API server, which do not say what they are about.
    if any(word in str(error) for word in ("selector", "requirement", ", expected: ")):
        return "a selector is written as -l NAME=VALUE, NAME!=VALUE, 'NAME in (A, B)', or several with commas"
    fitting = [field for field in FIELDS if field in error.field]
    return FIELDS[max(fitting, key=len)] if fitting else ""


def _not_found(text: str) -> str:
    if "namespaces" in text:
        return "`kubectl get namespaces` shows those there are; -n NAME takes one"
    if "runtimes.kruntimes.io" in text:
        return "`krt get runtimes` shows those there are; -n NAME looks in another namespace"
    if "runs.kruntimes.io" in text:
        return "`krt get runs` shows those there are (-A in all namespaces)"
    return "`krt doctor` looks whether the custom resources are installed"


def _forbidden(error: Forbidden) -> str:
    if error.status == 401:
        return "its token or certificate is not, or no longer, accepted there: take a new kubeconfig"
    return "`kubectl auth can-i --list` shows what this user may do; ask who gives rights in this namespace"
