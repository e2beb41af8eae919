"""Traffic through psycopg (libpq): python psycopg_worker.py URL SECONDS NAME. Prints each call that it made: id, outcome."""

import os
import random
import socket
import sys
import time

import psycopg

url, seconds, name = sys.argv[1], float(sys.argv[2]), sys.argv[3]
end = time.monotonic() + seconds
calls = 0


def call(connection, verb):
    """Makes a call of a function that is audited, and says what came of it."""
    global calls
    calls += 1
    id = f"soak-{name}-{calls}"
    statements = {
        "done": f"SELECT pgtrack.tag('{id}')",
        "prepared": "SELECT pgtrack.tag(%s)",
        "failed": f"SELECT pgtrack.untag('{id}')",
    }
    try:
        if verb == "prepared":
            connection.execute(statements[verb], (id,), prepare=True)
        else:
            connection.execute(statements[verb])
        print(id, "done", flush=True)
    except psycopg.OperationalError:
        print(id, "unknown", flush=True)
        raise
    except psycopg.Error:
        print(id, "failed", flush=True)


def pipeline(connection):
    with connection.pipeline():
        for _ in range(random.randint(1, 20)):
            connection.execute("UPDATE item SET v = %s WHERE id = %s", (random.random(), random.randint(1, 100)))


def transaction(connection):
    with connection.transaction(force_rollback=random.random() < 0.5):
        connection.execute(f"DELETE FROM item WHERE id = {random.randint(1, 100)}")
        connection.execute("INSERT INTO item SELECT i, 0 FROM generate_series(1, 100) i ON CONFLICT DO NOTHING")


def copy(connection):
    with connection.cursor().copy("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 500)) TO STDOUT") as rows:
        for _ in rows:
            pass
    with connection.cursor().copy("COPY heap FROM STDIN") as rows:
        for number in range(200):
            rows.write_row((number,))


def error(connection):
    try:
        connection.execute("SELECT 1/0")
    except psycopg.errors.DivisionByZero:
        pass


def work(connection):
    for _ in range(random.randint(1, 20)):
        random.choice([pipeline, transaction, copy, error])(connection)
        call(connection, random.choice(["done", "prepared", "failed"]))


def leave(connection):
    """Ends the session: as it should be, or in the middle of something."""
    global calls
    how = random.choice(["close", "drop", "drop while called"])
    if how == "drop while called":
        calls += 1
        print(f"soak-{name}-{calls}", "unknown", flush=True)
        connection.pgconn.send_query(f"SELECT pgtrack.tag('soak-{name}-{calls}')".encode())
    if how != "close":
        with socket.socket(fileno=os.dup(connection.fileno())) as stream:
            stream.shutdown(socket.SHUT_RDWR)
    connection.close()


while time.monotonic() < end:
    try:
        connection = psycopg.connect(url, autocommit=True, application_name=name)
        work(connection)
        leave(connection)
    except psycopg.OperationalError:
        # Somebody else has ended the session, or the other client has won a deadlock.
        pass
