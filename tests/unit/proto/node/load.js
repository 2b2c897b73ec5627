// Reads every proto file named on the command line as a Node server would, and prints what it found as JSON.
const loader = require('@grpc/proto-loader');

const [root, ...files] = process.argv.slice(2);
const definition = loader.loadSync(files, { includeDirs: [root], keepCase: true, longs: String, enums: String });

const services = {};
const types = [];
for (const [name, entry] of Object.entries(definition)) {
  if (!name.startsWith('kruntimes.')) continue;
  if (entry.format !== undefined) {
    types.push(name);
    continue;
  }
  services[name] = Object.fromEntries(
    Object.entries(entry).map(([method, { path, requestStream, responseStream }]) => [
      method,
      { path, requestStream, responseStream },
    ]),
  );
}

// One message there and back, through the serialisers that the loader made.
const start = definition['kruntimes.runtime.v1.RuntimeService'].StartRun;
const sent = { key: { run_uid: 'u-1', attempt: 1 }, spec: { stdin: Buffer.from([0, 255]), labels: { a: 'b' } } };
const echoed = start.requestDeserialize(start.requestSerialize(sent));
if (echoed.key.run_uid !== 'u-1' || Buffer.compare(echoed.spec.stdin, sent.spec.stdin) !== 0) {
  throw new Error('a message did not survive its own serialiser: ' + JSON.stringify(echoed));
}
process.stdout.write(JSON.stringify({ services, types: types.sort() }));
