// Changes prices, and forgets the WHERE.
const { Client } = require('pg');

async function main() {
  const client = new Client({ connectionString: process.env.DATABASE_URL, application_name: 'price list' });
  await client.connect();
  await client.query('BEGIN');
  // The person is for the session, the reason for this transaction.
  await client.query("SELECT pgtrack.set_actor('linus'), pgtrack.set_message('lamps are cheaper now')");
  const { rowCount } = await client.query('UPDATE example.product SET price = 35');
  await client.query('COMMIT');
  await client.end();
  console.log(`${rowCount} prices were changed`);
}

main();
