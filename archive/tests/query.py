"""Runs a query with DuckDB and prints its rows, each a line of JSON, with every value as text: query.py SQL"""

import json
import sys

import duckdb

connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
for row in connection.execute(sys.argv[1]).fetchall():
    print(json.dumps([None if value is None else str(value) for value in row]))
