// Adds jobs as the brief's producers do: node producer.mjs PORT '[[queue, name, data, options], …]'; prints their ids.
import { Queue } from 'bullmq';

const [port, jobs] = process.argv.slice(2);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const ids = [];
for (const [name, job, data, options] of JSON.parse(jobs)) {
  const queue = new Queue(name, { connection });
  ids.push((await queue.add(job, data, options)).id);
  await queue.close();
}
console.log(JSON.stringify(ids));
