// DataStax's Node.js driver, or the legacy one for DataStax Enterprise: one statement.
//
// Arguments: package, bundle, user name, keyspace; the password is in ASTRA_PASSWORD. Exit 0 and "ok",
// or exit 3 and the driver's refusal.
const [name, secureConnectBundle, username, keyspace] = process.argv.slice(2);
const { createRequire } = require('module');
const driver = createRequire(`${process.env.NODE_HOME}/package.json`)(name);

const client = new driver.Client({
  cloud: { secureConnectBundle },
  credentials: { username, password: process.env.ASTRA_PASSWORD },
  keyspace,
});

async function main() {
  try {
    await client.connect();
  } catch (error) {
    const inner = Object.values(error.innerErrors || {}).map((one) => one.message);
    console.log(error.message, ...inner);
    return 3;
  }
  const { rows } = await client.execute('SELECT v FROM t');
  if (rows[0].v !== 'one') throw new Error(`unexpected rows ${JSON.stringify(rows)}`);
  console.log('ok');
  return 0;
}

main()
  .catch((error) => {
    console.error(error);
    return 1;
  })
  .then(async (status) => {
    await client.shutdown();
    process.exit(status);
  });
