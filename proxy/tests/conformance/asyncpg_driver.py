"""What asyncpg can do: python asyncpg_driver.py CONNECTION. Prints the same wherever it is connected to."""

import asyncio
import datetime
import decimal
import io
import json
import sys
import uuid

import asyncpg

dsn = sys.argv[1]


def show(title, value):
    print(f"{title}: {value!r}", flush=True)


async def types(connection):
    values = [
        True, 7, 2**40, 1.5, decimal.Decimal("12.3400"), "ünï", b"\x00\xff", uuid.UUID(int=7),
        datetime.date(2024, 2, 29), datetime.timedelta(days=1, seconds=2), [1, None, 3],
        asyncpg.Range(1, 5), datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    ]
    names = "bool int4 int8 float8 numeric text bytea uuid date interval int4[] int4range timestamptz".split()
    columns = ", ".join(f"${n}::{name}" for n, name in enumerate(names, 1))
    show("types", tuple(await connection.fetchrow(f"SELECT {columns}", *values)))
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    show("json", await connection.fetchval("SELECT $1::jsonb", {"a": [1, {"b": None}]}))
    await connection.execute("CREATE TYPE c.pair AS (a int, b text)")
    show("composite", await connection.fetchval("SELECT $1::c.pair", (1, "x")))


async def statements(connection):
    statement = await connection.prepare("SELECT $1::int * n FROM generate_series(1, 3) n")
    show("attributes", [(a.name, a.type.name) for a in statement.get_attributes()])
    for factor in range(3):
        show("prepared", [row[0] for row in await statement.fetch(factor)])
    await connection.executemany("INSERT INTO c.item VALUES ($1, $2)", [(n, f"n{n}") for n in range(2000)])
    show("executemany", await connection.fetchval("SELECT count(*) FROM c.item"))
    show("script", await connection.execute("SELECT 1; UPDATE c.item SET name = 'u' WHERE id < 10; SELECT 2"))


async def cursors(connection):
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        total = 0
        async for row in connection.cursor("SELECT id FROM c.item ORDER BY id", prefetch=33):
            total += row[0]
        show("prefetched", total)
        cursor = await connection.cursor("SELECT id FROM c.item ORDER BY id")
        await cursor.forward(5)
        show("portal", [row[0] for row in await cursor.fetch(4)])


async def copy(connection):
    records = [(n, f"copied {n}") for n in range(5000, 9000)]
    show("records", await connection.copy_records_to_table("item", schema_name="c", records=records, columns=["id", "name"]))
    out = io.BytesIO()
    show("out", await connection.copy_from_query("SELECT * FROM c.item WHERE id >= $1 ORDER BY id", 5000, output=out))
    show("bytes", len(out.getvalue()))
    source = io.BytesIO(b"20000\tgood\n20001\tbad\textra\n")
    try:
        await connection.copy_to_table("item", schema_name="c", source=source, columns=["id", "name"])
    except asyncpg.PostgresError as error:
        show("copy failed", (error.sqlstate, str(error)))


async def errors(connection):
    for query in ["SELECT 1/0", "SELEC 1", "INSERT INTO c.item VALUES (1)", "SELECT * FROM nowhere"]:
        try:
            await connection.fetch(query)
        except asyncpg.PostgresError as error:
            show("error", (error.sqlstate, str(error)))
    try:
        await connection.execute("SELECT pg_sleep(60)", timeout=0.3)
    except asyncio.TimeoutError:
        show("timed out", await connection.fetchval("SELECT 'usable'"))
    logs = []
    connection.add_log_listener(lambda _, message: logs.append((message.severity, len(message.message))))
    await connection.execute("DO $$ BEGIN RAISE NOTICE '%', repeat('n', 100000); END $$")
    await asyncio.sleep(0)
    show("logs", logs)


async def transactions(connection):
    try:
        async with connection.transaction():
            await connection.execute("DELETE FROM c.item")
            try:
                async with connection.transaction():
                    await connection.execute("SELECT 1/0")
            except asyncpg.DivisionByZeroError:
                show("savepoint", await connection.fetchval("SELECT count(*) FROM c.item"))
            raise RuntimeError
    except RuntimeError:
        show("rolled back", await connection.fetchval("SELECT count(*) > 0 FROM c.item"))


async def notifications(connection):
    received = asyncio.Queue()
    await connection.add_listener("news", lambda _c, _pid, channel, payload: received.put_nowait((channel, payload)))
    other = await asyncpg.connect(dsn)
    for n in range(3):
        await other.execute("SELECT pg_notify('news', $1)", f"number {n}")
    await other.close()
    show("notified", [await asyncio.wait_for(received.get(), 10) for _ in range(3)])
    await connection.reset()


async def pooled():
    async with asyncpg.create_pool(dsn, min_size=3, max_size=3) as pool:
        async def work(number):
            async with pool.acquire() as connection:
                return await connection.fetchval("SELECT $1::int + 0 * length(pg_sleep(0.01)::text)", number)

        show("pooled", await asyncio.gather(*(work(number) for number in range(12))))


async def main():
    connection = await asyncpg.connect(dsn, server_settings={"application_name": "conformance", "work_mem": "7MB"})
    show("settings", tuple(await connection.fetchrow("SELECT current_setting('application_name'), current_setting('work_mem')")))
    await connection.execute("SET client_min_messages = warning; DROP SCHEMA IF EXISTS c CASCADE; CREATE SCHEMA c; RESET client_min_messages")
    await connection.execute("CREATE TABLE c.item (id int PRIMARY KEY, name text)")
    for part in (types, statements, cursors, copy, errors, transactions, notifications):
        await part(connection)
    show("large", len(await connection.fetchval("SELECT $1 || repeat('z', 3000000)", "y" * 3_000_000)))
    await connection.close()
    await pooled()


asyncio.run(main())
