-- A small shop, tracked from its first row on: psql "$DATABASE_URL" -f examples/shop.sql
\set ON_ERROR_STOP on
DROP SCHEMA IF EXISTS example CASCADE;
CREATE SCHEMA example;
CREATE TABLE example.product (
  sku    text           PRIMARY KEY,
  price  numeric(10, 2) NOT NULL CHECK (price >= 0)
);
CREATE TABLE example.item (
  order_id  int   NOT NULL,
  sku       text  NOT NULL REFERENCES example.product,
  amount    int   NOT NULL DEFAULT 1,
  PRIMARY KEY (order_id, sku)
);
SELECT * FROM pgtrack.track('example');
INSERT INTO example.product VALUES ('lamp', 40), ('chair', 120), ('desk', 300);
