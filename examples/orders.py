"""An application that takes orders. Frameworks write such comments by themselves, with the sqlcommenter libraries."""

import os
from urllib.parse import quote

import psycopg


def tagged(sql, **tags):
    """The statement with a sqlcommenter comment."""
    pairs = ",".join(f"{key}='{quote(value)}'" for key, value in sorted(tags.items()))
    return f"{sql} /*{pairs}*/"


def order(connection, order_id, user, items):
    with connection.transaction():
        for sku, amount in items.items():
            connection.execute(
                tagged(
                    "INSERT INTO example.item (order_id, sku, amount) VALUES (%s, %s, %s)",
                    route="/orders",
                    user=user,
                ),
                (order_id, sku, amount),
            )


with psycopg.connect(os.environ["DATABASE_URL"], application_name="web shop", autocommit=True) as connection:
    order(connection, 1, "ada", {"lamp": 2, "desk": 1})
    order(connection, 2, "grace", {"chair": 4})
    print("2 orders were taken")
