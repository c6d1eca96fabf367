"""One connection for a backup or a restore, and the lock that lets only one of them run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection

from backup.errors import Refusal
from control_plane.tables.database import Connection

BACKUP_LOCK = 7309862318
SECONDS = 10


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Connection]:
    """Raises Refusal when the database does not let us in, or breaks; its sentence holds no password."""
    try:
        connection: Connection = await AsyncConnection.connect(
            database_url, autocommit=True, connect_timeout=SECONDS, application_name="weedwatch backup"
        )
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise Refusal(f"The database cannot be reached: {said[0]}") from None
    async with connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise Refusal(f"The database refused: {str(error).strip() or type(error).__name__}") from error


async def take_turn(connection: Connection) -> None:
    """Until the connection ends nobody else makes, prunes or restores a backup of this database.

    Raises:
        Refusal: Somebody does.
    """
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%(key)s)", {"key": BACKUP_LOCK})
    if await cursor.fetchone() != (True,):
        raise Refusal("Another backup or restore of this database is under way. Try again when it has ended.")
