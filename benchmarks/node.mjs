// Node BullMQ in its documented manner: addBulk, and a Worker of the given concurrency.
// node node.mjs PORT QUEUE SCENARIO COUNT CONCURRENCY -> one line of JSON {seconds, runs, distinct}
import { createRequire } from 'node:module';
const require = createRequire(new URL('../tests/node/package.json', import.meta.url));
const { Queue, Worker } = require('bullmq');

const [port, name, scenario, count, concurrency] = process.argv.slice(2);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const total = Number(count);
const queue = new Queue(name, { connection });
await queue.waitUntilReady();

const jobs = Array.from({ length: total }, (_, i) => ({
  name: 'x',
  data: { i, text: 'a payload of about a hundred bytes, as an id and a short text would make it' },
  opts: { removeOnComplete: { count: 1000 } },
}));
const addAll = async () => {
  for (let from = 0; from < total; from += 500) await queue.addBulk(jobs.slice(from, from + 500));
};

let begun = process.hrtime.bigint();
await addAll();
let seconds = Number(process.hrtime.bigint() - begun) / 1e9;
const seen = new Set();
let runs = 0;
if (scenario !== 'add') {
  let done;
  const finished = new Promise((resolve) => (done = resolve));
  const worker = new Worker(name, async (job) => {
    runs += 1;
    seen.add(job.id);
  }, { connection, concurrency: Number(concurrency), autorun: false });
  worker.on('completed', () => { if (--left === 0) done(); });
  let left = total;
  await worker.waitUntilReady();
  begun = process.hrtime.bigint();
  worker.run();
  await finished;
  seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  await worker.close();
}
console.log(JSON.stringify({ seconds, runs, distinct: seen.size }));
await queue.close();
process.exit(0);
