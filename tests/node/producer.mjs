// Calls queues as the brief's producers do: node producer.mjs PORT PREFIX '[[queue, method, ...arguments], …]';
// prints the ids of the jobs that it gets.
import { Queue } from 'bullmq';

const [port, prefix, calls] = process.argv.slice(2);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const ids = [];
for (const [name, method, ...args] of JSON.parse(calls)) {
  const queue = new Queue(name, { connection, prefix });
  ids.push((await queue[method](...args)).id);
  await queue.close();
}
console.log(JSON.stringify(ids));
