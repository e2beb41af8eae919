// What node-postgres can do: node node_postgres.cjs CONNECTION. Prints the same wherever it is connected to.
// The driver is found through NODE_PATH.

const { once } = require("node:events");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");
const copy = require("pg-copy-streams");

const connectionString = process.argv[2];
const options = { connectionString, application_name: "conformance" };
if (process.env.CONFORMANCE_TLS) {
  options.ssl = { rejectUnauthorized: false };
  options.enableChannelBinding = process.env.CONFORMANCE_TLS === "bound";
}

const show = (title, value) => console.log(`${title}: ${JSON.stringify(value)}`);

async function parameters(client) {
  const values = [null, true, 7, "9007199254740993", 1.5, "ünï\t", Buffer.from([0, 255]), [1, null, 3], { a: [1] }];
  const text = "SELECT $1::text, $2::bool, $3::int, $4::int8, $5::float8, $6::text, $7::bytea, $8::int[], $9::jsonb";
  show("values", (await client.query({ text, values, rowMode: "array" })).rows[0]);
  for (let n = 0; n < 3; n++) {
    const { rows } = await client.query({ name: "named", text: "SELECT $1::int + 1 AS next", values: [n] });
    show("named", rows);
  }
  show("several", (await client.query("SELECT 1; UPDATE c.item SET name = name; SELECT 2")).map((result) => result.command));
  show("fields", (await client.query("SELECT id, name FROM c.item LIMIT 0")).fields.map((field) => [field.name, field.dataTypeID]));
}

async function cursors(client) {
  const cursor = client.query(new Cursor("SELECT g FROM generate_series(1, $1::int) g", [50]));
  let total = 0;
  for (let rows = await cursor.read(7); rows.length > 0; rows = await cursor.read(7)) {
    total += rows.reduce((sum, row) => sum + row.g, 0);
  }
  show("cursor", total);
  const abandoned = client.query(new Cursor("SELECT g FROM generate_series(1, 1000) g"));
  show("some", (await abandoned.read(3)).length);
  await abandoned.close();
}

async function copying(client) {
  const lines = Array.from({ length: 5000 }, (_, n) => `${n + 1000}\tcopied ${n}\n`);
  await pipeline(Readable.from(lines), client.query(copy.from("COPY c.item FROM STDIN")));
  let bytes = 0;
  for await (const part of client.query(copy.to("COPY (SELECT * FROM c.item ORDER BY id) TO STDOUT"))) bytes += part.length;
  show("copied", bytes);
  try {
    await pipeline(Readable.from(["9000000\tgood\n", "bad\tbad\n"]), client.query(copy.from("COPY c.item FROM STDIN")));
  } catch (error) {
    show("copy failed", [error.code, error.message]);
  }
}

async function errors(client) {
  for (const statement of ["SELECT 1/0", "SELEC 1", "INSERT INTO c.item VALUES (1000)", "SELECT * FROM nowhere"]) {
    await client.query(statement).catch((error) => show("error", [error.code, error.message, error.detail, error.position, error.constraint]));
  }
  await client.query("SELECT $1::int", ["x"]).catch((error) => show("error", [error.code, error.message]));
  const notice = once(client, "notice");
  await client.query("DO $$ BEGIN RAISE NOTICE '%', repeat('n', 100000); END $$");
  show("notice", (await notice)[0].message.length);
}

async function notifications(client) {
  await client.query("LISTEN news");
  const received = [];
  const all = new Promise((resolve) => client.on("notification", ({ channel, payload }) => {
    received.push([channel, payload]);
    if (received.length === 3) resolve();
  }));
  const other = new Client(options);
  await other.connect();
  for (let n = 0; n < 3; n++) await other.query("SELECT pg_notify('news', $1)", [`number ${n}`]);
  await other.end();
  await all;
  show("notified", received);
}

async function pooled() {
  const pool = new Pool({ ...options, max: 3 });
  const work = async (number) => (await pool.query("SELECT $1::int AS n, pg_sleep(0.01)", [number])).rows[0].n;
  show("pooled", await Promise.all(Array.from({ length: 12 }, (_, number) => work(number))));
  await pool.end();
}

async function main() {
  const client = new Client(options);
  await client.connect();
  await client.query("SET client_min_messages = warning; DROP SCHEMA IF EXISTS c CASCADE; CREATE SCHEMA c; RESET client_min_messages");
  await client.query("CREATE TABLE c.item (id int PRIMARY KEY, name text)");
  for (const part of [parameters, cursors, copying, errors, notifications]) await part(client);
  await client.query("BEGIN");
  await client.query("DELETE FROM c.item");
  await client.query("ROLLBACK");
  show("rolled back", (await client.query("SELECT count(*) FROM c.item")).rows);
  const large = (await client.query("SELECT $1 || repeat('z', 3000000) AS large", ["é".repeat(2000000)])).rows[0].large;
  show("large", large.length);
  await client.end();
  await pooled();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
