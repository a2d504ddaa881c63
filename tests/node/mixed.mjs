// One process of the mixed run: node mixed.mjs PORT ROLE, then over standard input.
// ROLE produce: a JSON file of batches, whose jobs it adds; prints {ids} of each batch.
// ROLE work: queue names; runs their jobs until its input ends, then prints how often it ran each job.
import { readFileSync } from 'node:fs';
import { FlowProducer, Queue, Worker } from 'bullmq';

const [port, role, ...rest] = process.argv.slice(2);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const ended = () => new Promise((resolve) => process.stdin.resume().on('end', resolve));

const produce = async (file) => {
  const batches = JSON.parse(readFileSync(file));
  const queues = new Map();
  const queue = (name) => {
    if (!queues.has(name)) queues.set(name, new Queue(name, { connection, skipMetasUpdate: true }));
    return queues.get(name);
  };
  const flows = new FlowProducer({ connection });
  const kinds = {
    add: (name, jobs) => Promise.all(jobs.map((job) => queue(name).add(job.name, job.data, job.opts))),
    bulk: (name, jobs) => queue(name).addBulk(jobs),
    flow: async (name, [tree]) => {
      const ids = [];
      const walk = (node) => {
        ids.push(node.job);
        node.children?.forEach(walk);
      };
      walk(await flows.add(tree));
      return ids;
    },
  };
  for (const { kind, queue: name, jobs } of batches) {
    const added = await kinds[kind](name, jobs);
    print(added.map((job) => [job.data.plan, job.queueName, job.id]));
  }
  for (const each of queues.values()) await each.close();
  await flows.close();
};

const work = async (names) => {
  const runs = {};
  const workers = names.map((name) => {
    const processor = async (job) => {
      const key = `${name}:${job.id}`;
      runs[key] = (runs[key] ?? 0) + 1;
      if (job.data.ms) await new Promise((resolve) => setTimeout(resolve, job.data.ms));
      if (job.attemptsMade < job.data.fails) throw new Error(`attempt ${job.attemptsMade}`);
      return { by: 'node', plan: job.data.plan };
    };
    return new Worker(name, processor, { connection, concurrency: 50 });
  });
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  await ended();
  await Promise.all(workers.map((worker) => worker.close()));
  print(runs);
};

await (role === 'produce' ? produce(rest[0]) : work(rest));
process.stdout.write('', () => process.exit(0));
