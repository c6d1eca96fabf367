"""The detached minisign signature of an upload."""

from pathlib import Path

from minisign import ParseError, PublicKey, Signature, VerifyError

from quarantine.order import Refused


def check_signature(file: Path, signature: Path, key: str) -> None:
    """See that the operator's key signed these bytes; they are hashed as they stream by.

    Raises:
        Refused: They are not signed, or by another key, or have changed since.
    """
    if not signature.exists():
        raise Refused(
            "The upload is not signed, and this service takes signed uploads only. Sign it with `minisign -S`, and "
            "send the .minisig file in the form field 'signature'."
        )
    try:
        public = PublicKey.from_base64(key.strip().splitlines()[-1])
        given = Signature.from_bytes(signature.read_bytes())
        if not given.is_prehashed():  # the old form would need all bytes in memory
            raise Refused("The signature is of minisign's old form. Sign with minisign 0.10 or newer.")
        with file.open("rb") as content:
            public.verify(content, given)
    except ParseError as error:
        raise Refused(f"The signature or the service's key is not minisign's ({error}).") from error
    except VerifyError as error:
        raise Refused(
            "The signature does not fit: it is of another key, or the file has changed since it was signed."
        ) from error
