// Stargate's gRPC client (../README.md). The proxy is in grpc_proxy, its CA in
// GRPC_DEFAULT_SSL_ROOTS_FILE_PATH. Argument: host and port of the database.
const assert = require('assert');
const { createRequire } = require('module');
const installed = createRequire(`${process.env.NODE_HOME}/package.json`);
const stargate = installed('@stargate-oss/stargate-grpc-node-client');
// The one that the client itself loads.
const grpc = createRequire(installed.resolve('@stargate-oss/stargate-grpc-node-client'))('@grpc/grpc-js');

async function main() {
  const credentials = grpc.credentials.combineChannelCredentials(
    grpc.credentials.createSsl(), new stargate.StargateBearerToken(process.env.ASTRA_PASSWORD));
  const client = stargate.promisifyStargateClient(
    new stargate.StargateClient(process.argv[2], credentials));
  const query = new stargate.Query();
  query.setCql('SELECT release_version FROM system.local');
  let answer;
  try {
    answer = await client.executeQuery(query);
  } catch (error) {
    console.log(error.message);
    return error.code === grpc.status.UNAUTHENTICATED ? 3 : 1;
  }
  const rows = answer.getResultSet();
  assert.deepStrictEqual(rows.getColumnsList().map((column) => column.getName()), ['release_version']);
  assert.strictEqual(rows.getRowsList()[0].getValuesList()[0].getString(), '4.0.11');
  console.log('ok');
  return 0;
}

main().then((status) => process.exit(status), (error) => {
  console.error(error);
  process.exit(1);
});
