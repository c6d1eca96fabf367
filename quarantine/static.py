"""`python -m quarantine.static FOLDER`: all checks that load nothing. Ends with 0, or with 1 and a sentence.

With `built` behind it: of the archive that was built from an uploaded checkpoint.
"""

import sys
from pathlib import Path

from quarantine.members import check_members
from quarantine.order import ARCHIVE, MODEL, SIGNATURE, Order, Refused, read_order
from quarantine.pickles import check_pickles
from quarantine.signature import check_signature


def check(folder: Path) -> None:
    """Signature, sizes, members, manifest, code, pickles, in this order.

    Raises:
        Refused: The sentence says what is wrong.
    """
    order = read_order(folder)
    if order.signing_key:
        check_signature(folder / order.signed, folder / SIGNATURE, order.signing_key)
    if order.kind == "archive":
        check_archive(folder / ARCHIVE, order)
    else:
        check_pickles(folder / MODEL, order.max_bytes)


def check_archive(archive: Path, order: Order) -> None:
    """All but the signature."""
    check_members(archive, order)
    check_pickles(archive, order.max_bytes)


if __name__ == "__main__":
    try:
        where = Path(sys.argv[1])
        if sys.argv[2:] == ["built"]:
            check_archive(where / ARCHIVE, read_order(where))
        else:
            check(where)
    except Refused as refused:
        print(refused)
        sys.exit(1)
