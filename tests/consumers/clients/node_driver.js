// DataStax's Node.js driver, or the legacy one for DataStax Enterprise: the first argument
// (../README.md).
const { createRequire } = require('module');
const readline = require('readline');
const driver = createRequire(`${process.env.NODE_HOME}/package.json`)(process.argv[2]);

async function statement(client) {
  const { rows } = await client.execute('SELECT v FROM t');
  if (rows[0].v !== 'one') throw new Error(`unexpected rows ${JSON.stringify(rows)}`);
}

async function connected(secureConnectBundle, username, password, keyspace) {
  const client = new driver.Client({
    cloud: { secureConnectBundle },
    credentials: { username, password },
    keyspace,
  });
  try {
    await client.connect();
    await statement(client);
  } catch (error) {
    await client.shutdown();
    throw error;
  }
  return client;
}

async function write(client, key, value) {
  const prepare = true;
  await client.execute('INSERT INTO written (k, v) VALUES (?, ?)', [Number(key), value], { prepare });
  const { rows } = await client.execute('SELECT v FROM written WHERE k = ?', [Number(key)], { prepare });
  if (rows[0].v !== value) throw new Error(`unexpected rows ${JSON.stringify(rows)}`);
}

let kept;
async function answer(verb, parts) {
  if (verb === 'new') await (await connected(...parts)).shutdown();
  else if (verb === 'keep') kept = await connected(...parts);
  else if (verb === 'ask') await statement(kept);
  else if (verb === 'write') await write(kept, ...parts);
  else throw new Error(`unknown request ${verb}`);
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, ...parts] = line.split('\t');
    try {
      await answer(verb, parts);
      console.log('ok');
    } catch (error) {
      const refused = error instanceof driver.errors.NoHostAvailableError
        || error instanceof driver.errors.AuthenticationError;
      const inner = Object.values(error.innerErrors || {}).map((one) => one.message);
      console.log([refused ? 'refused' : 'failed', error.message, ...inner].join(' ').replace(/\s+/g, ' '));
    }
  }
  process.exit(0);
}

main();
