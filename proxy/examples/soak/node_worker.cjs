// Traffic through node-postgres: node node_worker.cjs URL SECONDS NAME. Prints each call that it made: id, outcome.
const { Client } = require("pg");
const Cursor = require("pg-cursor");

const [url, seconds, name] = process.argv.slice(2);
const end = Date.now() + seconds * 1000;
let calls = 0;

async function call(client, prepared) {
  calls += 1;
  const id = `soak-${name}-${calls}`;
  try {
    if (prepared) await client.query({ name: "tag", text: "SELECT pgtrack.tag($1)", values: [id] });
    else await client.query(`SELECT pgtrack.untag('${id}')`);
    console.log(id, "done");
  } catch (error) {
    // Without a severity it is none of the server's; class 57 ends sessions.
    const isLost = !error.severity || error.code.startsWith("57");
    console.log(id, isLost ? "unknown" : "failed");
    if (isLost) throw error;
  }
}

async function work(client) {
  for (let turn = Math.ceil(Math.random() * 20); turn > 0; turn -= 1) {
    await client.query("UPDATE item SET v = $1 WHERE id = $2", [Math.random(), turn]);
    for (const n of [1, 2, 3]) await client.query("SELECT $1::int, repeat('x', 5000)", [n]);
    const cursor = client.query(new Cursor("SELECT * FROM generate_series(1, 1000)"));
    await cursor.read(100);
    await cursor.close();
    await client.query("SELECT 1/0").catch(() => {});
    await call(client, Math.random() < 0.5);
  }
}

async function main() {
  while (Date.now() < end) {
    const client = new Client({ connectionString: url, application_name: name });
    // Somebody else may end the session.
    client.on("error", () => {});
    try {
      await client.connect();
      await work(client);
      if (Math.random() < 0.5) await client.end();
      else client.connection.stream.destroy();
    } catch {
      client.connection.stream.destroy();
    }
  }
}

main();
