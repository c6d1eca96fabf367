"""A dump into an open transaction: pg_restore turns it into statements, and they are carried out here.

So all that follows (erasures, the audit's row) is in the same transaction, and a restore happens whole or not at all.
"""

import asyncio
import re
from collections.abc import Callable
from typing import BinaryIO

from backup import programs
from backup.destination import BLOCK_BYTES
from backup.errors import Damaged
from control_plane.tables.database import Connection

_COPY = re.compile(rb"^COPY [^;]* FROM stdin;$", re.MULTILINE)
_COMMANDS = re.compile(rb"^\\.*\n", re.MULTILINE)  # psql's own; they are not in the data, which is never looked at
_RIGHTS = re.compile(rb'^(?:GRANT|REVOKE) .* (?:TO|FROM) "?(\w+)"?(?: WITH GRANT OPTION)?;$', re.MULTILINE)
_END = b"\n\\.\n"


async def empty(connection: Connection) -> None:
    """Take away all that is ours in the schema."""
    await connection.execute(
        """
        DO $$
        DECLARE each record;
        BEGIN
            FOR each IN SELECT oid::regclass AS name, relkind FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
                    AND pg_get_userbyid(relowner) = current_user
                ORDER BY relkind DESC
            LOOP
                IF to_regclass(each.name::text) IS NOT NULL THEN
                    EXECUTE format('DROP %s %s CASCADE', CASE each.relkind WHEN 'v' THEN 'VIEW'
                        WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, each.name);
                END IF;
            END LOOP;
            FOR each IN SELECT oid::regprocedure AS name FROM pg_proc
                WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
                    AND pg_get_userbyid(proowner) = current_user
            LOOP
                EXECUTE format('DROP FUNCTION %s CASCADE', each.name);
            END LOOP;
        END $$
        """
    )


async def load(connection: Connection, dump: BinaryIO, seen: Callable[[int], None]) -> None:
    """Carry out what the dump says; `seen` gets the bytes of it that were read.

    Raises:
        Damaged: pg_restore does not understand it.
    """
    process = await asyncio.create_subprocess_exec(
        *(programs.find("pg_restore"), "--no-owner", "--file=-"),
        env=programs.environment(""),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - pipes
    feeding = asyncio.create_task(_feed(dump, process.stdin, seen))
    complaining = asyncio.create_task(process.stderr.read())
    try:
        roles = await _roles(connection)
        await _carry_out(connection, process.stdout, roles)
        await feeding
        said = (await complaining).decode(errors="replace").strip().splitlines()
        if await process.wait() != 0:
            raise Damaged(f"The dump cannot be read: {(said or ['pg_restore said nothing'])[-1]}")
    finally:
        feeding.cancel()
        complaining.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    await connection.execute("RESET ALL")  # the dump's own search path, time limits and the like


async def _feed(dump: BinaryIO, target: asyncio.StreamWriter, seen: Callable[[int], None]) -> None:
    done = 0
    try:
        while block := await asyncio.to_thread(dump.read, BLOCK_BYTES):
            target.write(block)
            await target.drain()
            done += len(block)
            seen(done)
        target.close()
        await target.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has ended; how is asked elsewhere


async def _carry_out(connection: Connection, script: asyncio.StreamReader, roles: set[bytes]) -> None:
    held = b""
    while block := await script.read(BLOCK_BYTES):
        held += block
        while found := _COPY.search(held):
            await _execute(connection, held[: found.start()], roles)
            held = await _copy(connection, found[0].rstrip(b";"), held[found.end() :], script)
    await _execute(connection, held, roles)


async def _execute(connection: Connection, statements: bytes, roles: set[bytes]) -> None:
    """Those about rights only where there is such a role here."""
    plain = _RIGHTS.sub(lambda found: found[0] if found[1] in roles else b"", _COMMANDS.sub(b"", statements))
    if plain.strip():
        await connection.execute(plain)


async def _copy(connection: Connection, statement: bytes, held: bytes, script: asyncio.StreamReader) -> bytes:
    """Rows up to the line that ends them; gives what was read behind it."""
    is_first = True  # then `held` begins with the end of the statement's own line, which is no row's
    async with connection.cursor() as cursor, cursor.copy(statement) as rows:
        while (end := held.find(_END)) < 0:
            upto = len(held) - len(_END)
            if upto > is_first:
                await rows.write(held[is_first:upto])
                held, is_first = held[upto:], False
            block = await script.read(BLOCK_BYTES)
            if not block:
                raise Damaged("The dump ends in the middle of a table.")
            held += block
        if end > 0 or not is_first:
            await rows.write(held[is_first:end] + b"\n")
    return held[end + len(_END) :]


async def _roles(connection: Connection) -> set[bytes]:
    cursor = await connection.execute("SELECT rolname FROM pg_roles")
    return {b"PUBLIC", *(name.encode() for (name,) in await cursor.fetchall())}
