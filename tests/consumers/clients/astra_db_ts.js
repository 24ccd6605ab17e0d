// astra-db-ts: what an application does first (../README.md). Arguments: endpoint, keyspace.
const assert = require('assert');
const { createRequire } = require('module');
const { DataAPIClient } = createRequire(`${process.env.NODE_HOME}/package.json`)('@datastax/astra-db-ts');

const [endpoint, keyspace] = process.argv.slice(2);

async function main() {
  const db = new DataAPIClient(process.env.ASTRA_PASSWORD).db(endpoint, { keyspace });
  try {
    await db.listCollections();
  } catch (error) {
    console.log(error.message);
    return 3;
  }
  const name = 'from_typescript';
  const collection = await db.createCollection(name);
  assert((await db.listCollections({ nameOnly: true })).includes(name));
  assert.deepStrictEqual(await db.listTables({ nameOnly: true }), []);
  await collection.insertOne({ _id: 'a', n: 1 });
  await collection.insertMany([{ _id: 'b', n: 2 }, { n: 2 }]);
  assert.strictEqual((await collection.findOne({ _id: 'a' })).n, 1);
  assert.strictEqual(await collection.findOne({ _id: 'z' }), null);
  assert.strictEqual((await collection.find({ n: 2 }).toArray()).length, 2);
  assert.strictEqual(await collection.countDocuments({}, 10), 3);
  assert.strictEqual((await collection.deleteOne({ _id: 'a' })).deletedCount, 1);
  assert.strictEqual((await collection.deleteMany({ n: 2 })).deletedCount, 2);
  assert.strictEqual(await collection.countDocuments({}, 10), 0);
  console.log('ok');
  return 0;
}

main().then((status) => process.exit(status), (error) => {
  console.error(error);
  process.exit(1);
});
