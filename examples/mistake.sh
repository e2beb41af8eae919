#!/bin/sh
# What happened to the prices, and back: examples/mistake.sh
set -eu

pgtrack log --db "$DATABASE_URL" --application 'price list' --since '1 hour ago'
pgtrack show --db "$DATABASE_URL"                       # the latest transaction, row by row
pgtrack undo --db "$DATABASE_URL" --by-application 'price list' --since '1 hour ago' \
  --message 'the WHERE was missing' --yes               # without --yes it asks
pgtrack blame --db "$DATABASE_URL" example.product lamp # who last changed each column
