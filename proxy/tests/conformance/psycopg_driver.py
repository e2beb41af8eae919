"""What psycopg and libpq can do: python psycopg_driver.py CONNECTION. Prints the same wherever it is connected to."""

import asyncio
import logging
import sys
import threading
import time

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

dsn = sys.argv[1]
# Its warnings have addresses of objects in them.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)


def show(title, value):
    print(f"{title}: {value!r}", flush=True)


def reset(connection):
    connection.execute("SET client_min_messages = warning; DROP SCHEMA IF EXISTS c CASCADE; CREATE SCHEMA c; RESET client_min_messages")
    connection.execute("CREATE TABLE c.item (id int PRIMARY KEY, name text, data jsonb, blob bytea)")


def parameters(connection):
    cursor = connection.cursor()
    values = (None, True, 7, 2**40, 1.5, "ünï\t", b"\x00\xff", [1, None, 3], Jsonb({"a": [1]}))
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        cursor.execute("SELECT %s, %s, %s, %s, %s, %s, %s, %s::int[], %s", values)
        show(f"values binary={binary}", cursor.fetchone())
    cursor = connection.cursor(row_factory=dict_row)
    show("dictionary", cursor.execute("SELECT 1 AS a, 'x' AS b").fetchall())


def prepared(connection):
    for number in range(8):  # prepared from the fifth on
        connection.execute("SELECT %s::int + 1", (number,))
    show("forced", connection.execute("SELECT %s::text", ("p",), prepare=True).fetchone())
    cursor = connection.cursor()
    cursor.executemany(
        "INSERT INTO c.item VALUES (%s, %s) RETURNING id", [(n, f"n{n}") for n in range(100)], returning=True
    )
    ids = [cursor.fetchone()[0]]
    while cursor.nextset():
        ids.append(cursor.fetchone()[0])
    show("executemany", (len(ids), ids[-1]))


def cursors(connection):
    with connection.transaction(), connection.cursor(name="portal", scrollable=True) as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT * FROM generate_series(1, 50)")
        show("first", cursor.fetchmany(3))
        cursor.scroll(-1)
        show("rest", sum(row[0] for row in cursor))
    rows = connection.cursor().stream("SELECT g, repeat('x', g) FROM generate_series(1, 300) g")
    show("streamed", sum(len(row[1]) for row in rows))


def copy(connection):
    with connection.cursor() as cursor:
        with cursor.copy("COPY c.item (id, name, blob) FROM STDIN (FORMAT binary)") as into:
            into.set_types(["int4", "text", "bytea"])
            for n in range(1000, 3000):
                into.write_row((n, f"copied {n}", bytes([n % 256]) * 50))
        with cursor.copy("COPY (SELECT id, name FROM c.item WHERE id >= 1000 ORDER BY id) TO STDOUT") as out:
            show("copied", sum(len(part) for part in out))
        try:
            with cursor.copy("COPY c.item (id) FROM STDIN") as into:
                into.write("1000\nnot a number\n")
        except psycopg.errors.InvalidTextRepresentation as error:
            show("copy failed", str(error))
        try:
            with cursor.copy("COPY c.item (id) FROM STDIN"):
                raise ValueError("the client gives up")
        except ValueError as error:
            show("copy given up", str(error))
    show("after copy", connection.execute("SELECT count(*), sum(length(blob)) FROM c.item").fetchone())


def pipeline(connection):
    with connection.pipeline() as pipe:
        results = [connection.execute("SELECT %s::int", (n,)) for n in range(200)]
        pipe.sync()
        show("pipelined", sum(cursor.fetchone()[0] for cursor in results))
    try:
        with connection.pipeline() as pipe:
            connection.execute("SELECT 1")
            connection.execute("SELECT 1/0")
            connection.execute("SELECT 2")
            pipe.sync()
    except psycopg.errors.DivisionByZero as error:
        show("pipeline failed", str(error))


def errors(connection):
    for statement in ["SELECT 1/0", "SELEC 1", "INSERT INTO c.item VALUES (1)", "SELECT * FROM nowhere", "SELECT 'x'::int"]:
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            diagnostic = error.diag
            show("error", (diagnostic.sqlstate, diagnostic.message_primary, diagnostic.message_detail,
                           diagnostic.statement_position, diagnostic.constraint_name))
    notices = []
    connection.add_notice_handler(lambda notice: notices.append((notice.severity, len(notice.message_primary))))
    connection.execute("DO $$ BEGIN RAISE NOTICE '%', repeat('n', 100000); RAISE WARNING 'careful'; END $$")
    show("notices", notices)


def transactions(connection):
    try:
        with connection.transaction():
            connection.execute("DELETE FROM c.item")
            with connection.transaction(force_rollback=True):
                connection.execute("SELECT 1")
            show("status", connection.info.transaction_status.name)
            raise RuntimeError
    except RuntimeError:
        pass
    show("rolled back", connection.execute("SELECT count(*) FROM c.item").fetchone())


def notifications(connection):
    connection.execute("LISTEN news")
    with psycopg.connect(dsn, autocommit=True) as other:
        for n in range(3):
            other.execute("SELECT pg_notify('news', %s)", (f"number {n}",))
    received = [(note.channel, note.payload) for note in connection.notifies(timeout=10, stop_after=3)]
    show("notified", received)


def cancelling(connection):
    canceller = threading.Timer(0.3, connection.cancel_safe)
    began = time.monotonic()
    canceller.start()
    try:
        connection.execute("SELECT pg_sleep(60)")
    except psycopg.errors.QueryCanceled as error:
        show("cancelled", (str(error), time.monotonic() - began < 30))
    canceller.join()
    show("after cancel", connection.execute("SELECT 1").fetchone())


def large(connection):
    text = "é" * 3_000_000
    show("large", connection.execute("SELECT length(%s), octet_length(%s)", (text, text)).fetchone())
    show("large result", len(connection.execute("SELECT repeat('z', 8000000)").fetchone()[0]))
    show("many columns", len(connection.execute("SELECT " + ", ".join(["1"] * 1600)).fetchone()))


async def concurrently():
    async def work(number):
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            cursor = await connection.execute("SELECT sum(g) FROM generate_series(1, %s) g, pg_sleep(0.01)", (number,))
            return (await cursor.fetchone())[0]

    show("concurrently", await asyncio.gather(*(work(number) for number in range(1, 9))))


with psycopg.connect(dsn, autocommit=True, application_name="conformance", options="-c work_mem=7MB") as main:
    show("settings", main.execute("SELECT current_setting('application_name'), current_setting('work_mem')").fetchone())
    show("encodings", (main.info.encoding, main.info.parameter_status("standard_conforming_strings")))
    reset(main)
    for part in (parameters, prepared, cursors, copy, pipeline, errors, transactions, notifications, cancelling, large):
        part(main)
asyncio.run(concurrently())
