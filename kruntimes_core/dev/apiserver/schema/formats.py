"""The string formats that Kubernetes checks; a format it does not know is never an error."""

import base64
import binascii
import datetime
import ipaddress
import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

_DATE_TIME = re.compile(
    r"^(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)
_DURATION = re.compile(r"^[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h|d|w)\s*)+$|^0$")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")
_HOSTNAME = re.compile(
    r"^(?=.{1,253}$)[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*$"
)


def _accepts(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _date_time(text: str) -> bool:
    found = _DATE_TIME.match(text)
    return found is not None and _date(found[1])


_date = _accepts(datetime.date.fromisoformat)

FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _date_time,
    "date": _date,
    "duration": lambda text: _DURATION.match(text) is not None,
    "byte": _accepts(lambda text: base64.b64decode(text, validate=True)),
    "uuid": _accepts(uuid.UUID),
    "ipv4": _accepts(ipaddress.IPv4Address),
    "ipv6": _accepts(ipaddress.IPv6Address),
    "cidr": _accepts(ipaddress.ip_network),
    "email": lambda text: _EMAIL.match(text) is not None,
    "hostname": lambda text: _HOSTNAME.match(text) is not None,
    "uri": lambda text: bool(urlsplit(text).scheme),
}
