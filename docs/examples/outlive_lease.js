// Queries an Astra database without a pause, with credentials that end.
//
// When two thirds of a lease are over, a new session is made from a new credential. The old session
// is closed while its lease still lives, and late enough for statements that still run in it.
//
//     VAULT_ADDR=… VAULT_TOKEN=… node outlive_lease.js scb.zip astra/creds/app
//
// Needs Node.js 18 and cassandra-driver. Ends with SIGTERM or Ctrl-C.
const cassandra = require('cassandra-driver');
const { setTimeout: pause } = require('timers/promises');

const [secureConnectBundle, path] = process.argv.slice(2);

// A session from a new credential, and the seconds that its lease lasts.
async function connect() {
  const answer = await fetch(`${process.env.VAULT_ADDR}/v1/${path}`, {
    headers: { 'X-Vault-Token': process.env.VAULT_TOKEN },
  });
  if (!answer.ok) throw new Error(`Vault answers ${answer.status}: ${await answer.text()}`);
  const { data, lease_duration: seconds } = await answer.json();
  const client = new cassandra.Client({
    cloud: { secureConnectBundle },
    credentials: { username: 'token', password: data.token },
    keyspace: data.keyspace,
  });
  await client.connect();
  return { client, seconds };
}

// Always that of the newest credential.
let current;

async function renew() {
  let wait = (current.seconds * 2000) / 3;
  for (;;) {
    await pause(wait, undefined, { ref: false });
    try {
      const next = await connect();
      const old = current;
      current = next;
      setTimeout(() => old.client.shutdown(), (next.seconds * 1000) / 6).unref();
      wait = (next.seconds * 2000) / 3;
    } catch (error) {
      console.error(`no new session yet: ${error.message}`);
      wait = 1000;
    }
  }
}

async function main() {
  let stopped = false;
  for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => { stopped = true; });
  current = await connect();
  renew();
  let good = 0;
  let failed = 0;
  while (!stopped) {
    try {
      await current.client.execute('SELECT release_version FROM system.local');
      good += 1;
    } catch (error) {
      failed += 1;
      console.error(`a statement failed: ${error.message}`);
    }
    await pause(100);
  }
  console.log(`${good} statements went well, ${failed} failed`);
  process.exit(0);
}

main();
