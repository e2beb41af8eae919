CREATE SCHEMA shop;
CREATE TABLE shop.users (id bigint PRIMARY KEY, name text, points int, note text);
CREATE TABLE shop.orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES shop.users, status text NOT NULL);
CREATE TABLE shop.order_items (
  order_id bigint REFERENCES shop.orders, product_id bigint, quantity int NOT NULL, PRIMARY KEY (order_id, product_id));
CREATE TABLE shop.visits (path text);
CREATE TABLE shop.untracked (id bigint PRIMARY KEY);
INSERT INTO shop.users VALUES (1, 'Ada', 10, NULL), (2, 'Grace', 20, ''), (3, 'Alan', 30, 'x');
INSERT INTO shop.orders VALUES (100, 1, 'new'), (101, 2, 'paid');
INSERT INTO shop.order_items VALUES (100, 7, 1), (100, 8, 2), (101, 7, 3);
SELECT FROM pgtrack.track('shop.users');
SELECT FROM pgtrack.track('shop.orders');
SELECT FROM pgtrack.track('shop.order_items');
SELECT FROM pgtrack.track('shop.visits');
