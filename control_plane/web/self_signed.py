"""`python -m control_plane.web.self_signed FOLDER NAME`: a certificate for trying out, unless there is one.

Writes fullchain.pem and privkey.pem. Browsers warn of it, as they should: nobody vouches for it.
"""

import datetime
import errno
import ipaddress
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAYS = 365
CHAIN, KEY = "fullchain.pem", "privkey.pem"


def make(folder: Path, name: str) -> bool:
    """Make both files; False when a certificate is there already.

    Raises:
        OSError: They cannot be written; or there is a key, which is somebody's, or a link that leads nowhere from here.
    """
    if (folder / CHAIN).exists():
        return False
    for name_of_file in (CHAIN, KEY):
        if os.path.lexists(folder / name_of_file):
            raise FileExistsError(errno.EEXIST, f"{name_of_file} is there, and no {CHAIN} that can be read")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(name)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(folder / KEY, key.private_bytes(*form))
    # Last: who finds it finds the key too.
    _write(folder / CHAIN, certificate.public_bytes(serialization.Encoding.PEM))
    return True


def _names(name: str) -> list[x509.GeneralName]:
    try:
        own: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        own = x509.DNSName(name)
    local = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return [own, *(each for each in local if each != own)]


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)


def main() -> int:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    try:
        made = make(folder, name)
    except OSError as problem:
        print(f"The certificate cannot be written to {folder} ({problem.strerror}).", file=sys.stderr)
        return 1
    print(f"A certificate for {name} was made, to try out." if made else "There is a certificate.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
