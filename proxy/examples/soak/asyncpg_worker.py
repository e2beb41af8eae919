"""Traffic through asyncpg: python asyncpg_worker.py URL SECONDS NAME. Prints each call that it made: id, outcome."""

import asyncio
import random
import sys
import time

import asyncpg

url, seconds, name = sys.argv[1], float(sys.argv[2]), sys.argv[3]
end = time.monotonic() + seconds
calls = 0
# The last one: a session that ends while a cancel request for it is under way confuses the driver.
LOST = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InternalClientError)


async def call(connection):
    global calls
    calls += 1
    id = f"soak-{name}-{calls}"
    try:
        if random.random() < 0.5:
            await connection.fetchval("SELECT pgtrack.tag($1)", id)
        else:
            await connection.execute(f"SELECT pgtrack.untag('{id}')")
        print(id, "done", flush=True)
    except LOST:
        print(id, "unknown", flush=True)
        raise
    except asyncpg.PostgresError:
        print(id, "failed", flush=True)


async def work(connection):
    for _ in range(random.randint(1, 20)):
        await connection.executemany("UPDATE item SET v = $1 WHERE id = $2", [(random.random(), n) for n in range(10)])
        async with connection.transaction():
            seen = 0
            async for _ in connection.cursor("SELECT repeat('x', i) FROM generate_series(1, 300) i", prefetch=50):
                seen += 1
        await connection.copy_records_to_table("heap", records=[(n,) for n in range(100)])
        await call(connection)
        # A statement that is cancelled.
        try:
            await asyncio.wait_for(connection.execute("SELECT pg_sleep(1)"), 0.02)
        except asyncio.TimeoutError:
            pass


async def main():
    while time.monotonic() < end:
        connection = None
        try:
            connection = await asyncpg.connect(url, server_settings={"application_name": name})
            await work(connection)
            if random.random() < 0.5:
                await connection.close()
            else:
                connection.terminate()
        except (*LOST, asyncpg.DeadlockDetectedError):
            # Somebody else has ended the session, or the other client has won.
            if connection:
                connection.terminate()


asyncio.run(main())
