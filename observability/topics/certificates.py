"""How long certificates are good for."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic

_LEFT = "min by (certificate) (weedwatch_certificate_expiry_timestamp_seconds) - time()"
_DAY = 86400
_STEPS = (
    "See which one on the panel, and what it says: `openssl x509 -noout -enddate -subject -in FILE`.",
    "Renew it where it came from (ACME client, or your own authority), and put it in its place.",
    "Reload who serves it; the panel shows the new date within a minute.",
    "Zero days and a date in 1970: the file cannot be read. Check its path and who may read it.",
)


def _ends(days: float, value: str = "") -> Case:
    """Promtool's clock begins at zero, and is looked at after twenty minutes."""
    series = 'weedwatch_certificate_expiry_timestamp_seconds{certificate="service"}'
    return Case({series: f"{days * _DAY + 1200:.0f}x30"}, labels={"certificate": "service"}, value=value)


TOPIC = Topic(
    "certificates",
    rows=(
        Row(
            "infrastructure",
            "Certificates",
            (
                Panel(
                    "certificates-left",
                    "Certificates",
                    "Time until each watched certificate ends. Nothing here: none is watched "
                    "(WEEDWATCH_CERTIFICATES names them).",
                    "stat",
                    "s",
                    (Prom(_LEFT, "{{certificate}}"),),
                    width=24,
                    height=4,
                    steps=(
                        (None, "red"),
                        (limits.CERTIFICATE_CRITICAL_DAYS * _DAY, "orange"),
                        (limits.CERTIFICATE_DAYS * _DAY, "green"),
                    ),
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "CertificateExpires",
            f"({_LEFT} < {limits.CERTIFICATE_DAYS * _DAY}) >= {limits.CERTIFICATE_CRITICAL_DAYS * _DAY}",
            "warning",
            "The certificate {{ $labels.certificate }} ends within two weeks.",
            "Whatever renews certificates has not done so, though it should long have. There is time to mend it.",
            _STEPS,
            "certificates-left",
            fires=_ends(10, "10d 0h 0m 0s"),
            quiet=_ends(20),
            value="{{ $value | humanizeDuration }}",
        ),
        Alert(
            "CertificateEndsSoon",
            f"{_LEFT} < {limits.CERTIFICATE_CRITICAL_DAYS * _DAY}",
            "critical",
            "The certificate {{ $labels.certificate }} ends within three days, or cannot be read.",
            "Once it has ended, browsers and clients refuse the connection, and the service is away for them.",
            _STEPS,
            "certificates-left",
            fires=_ends(2, "2d 0h 0m 0s"),
            quiet=_ends(10),
            value="{{ $value | humanizeDuration }}",
        ),
    ),
)
