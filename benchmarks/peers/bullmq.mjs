// Node BullMQ: addBulk in chunks of 500, and a Worker of the given concurrency. See __init__.py.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
const require = createRequire(new URL('../../tests/node/package.json', import.meta.url));
const { Queue, Worker } = require('bullmq');
const IORedis = require('ioredis');

const [port, name, order, countText, concurrency] = process.argv.slice(2);
const [kind, rate] = order.split('@');
const count = Number(countText);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const TEXT = 'a payload of about a hundred bytes, as an id and a short text make it';
const opts = { removeOnComplete: { age: 3600 } };
const now = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const report = (values) => console.log(JSON.stringify(values));

const side = new IORedis(connection);
const info = async () => {
  const text = await side.info();
  const number = (field) => Number(text.match(new RegExp(`^${field}:(\\S+)`, 'm'))[1]);
  return { cpu: number('used_cpu_sys') + number('used_cpu_user'), memory: number('used_memory') };
};
const cpu = () => { const used = process.cpuUsage(); return used.user + used.system; };
const line = () => new Promise((resolve) => {
  const reader = createInterface({ input: process.stdin });
  reader.once('line', resolve); reader.once('close', resolve);
});

const queue = new Queue(name, { connection });
await queue.waitUntilReady();
const data = (i, due = 0) => ({ i, due, text: TEXT });
const add = (i, due) => queue.add('x', data(i, due), opts);
const bulk = async () => {
  for (let from = 0; from < count; from += 500) {
    const some = [];
    for (let i = from; i < Math.min(from + 500, count); i++) some.push({ name: 'x', data: data(i), opts });
    await queue.addBulk(some);
  }
};
const left = async () => {
  const counts = await queue.getJobCounts('waiting', 'active');
  return counts.waiting + counts.active;
};

const work = async () => {
  const before = await info();
  const seen = new Set();
  const waits = [];
  let runs = 0; let begun; let ended; let cpuBegun; let cpuEnded; let done;
  const finished = new Promise((resolve) => (done = resolve));
  const worker = new Worker(name, async (job) => {
    if (begun === undefined && job.data.i >= 0) { begun = now(); cpuBegun = cpu(); }
    if (job.data.due) waits.push(now() - job.data.due);
    if (kind === 'hang') { console.log('ready'); await new Promise(() => {}); }
    if (kind === 'sleep') await sleep(10);
    if (job.data.i < 0) { console.log('ready'); return 'done'; }
    runs += 1;
    seen.add(job.data.i);
    if (runs === count) { ended = now(); cpuEnded = cpu(); done(); }
    return 'done';
  }, { connection, concurrency: Number(concurrency) });
  worker.on('error', (error) => { console.error(error); process.exit(1); });
  if (kind === 'idle' || kind === 'hang') { await line(); process.exit(0); }
  await finished;
  await worker.close();
  waits.sort((a, b) => a - b);
  const at = (share) => waits[Math.floor(waits.length * share)];
  report({
    seconds: (ended - begun) / 1000, runs, distinct: seen.size, left: await left(),
    client_us: (cpuEnded - cpuBegun) / count, server_us: (((await info()).cpu - before.cpu) * 1e6) / count,
    ...(waits.length ? { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: waits.at(-1) } : {}),
  });
};

const feed = async () => {
  await add(-1);
  await line();
  const begun = now();
  const gap = 1000 / Number(rate);
  const adds = [];
  for (let i = 0; i < count; i++) {
    const due = begun + (i + 1) * gap;
    for (let ahead = due - now(); ahead > 0; ahead = due - now()) {
      // Timers are good for a millisecond; where one job is waited for, that is much.
      if (ahead > 3 || gap <= 5) await sleep(gap > 5 ? ahead - 2 : ahead);
      else await new Promise(setImmediate);
    }
    adds.push(add(i, due));
  }
  await Promise.all(adds);
  report({ seconds: (now() - begun) / 1000 });
};

const adding = async () => {
  await add(-1);
  const before = await info();
  const cpuBegun = cpu();
  const begun = now();
  if (kind === 'bulk') await bulk();
  else if (kind === 'add') for (let i = 0; i < count; i++) await add(i);
  else {
    for (let from = 0; from < count; from += 100) {
      await Promise.all(Array.from({ length: Math.min(100, count - from) }, (_, i) => add(from + i)));
    }
  }
  const seconds = (now() - begun) / 1000;
  const used = cpu() - cpuBegun;
  const after = await info();
  report({
    seconds, left: await left(), client_us: used / count,
    server_us: ((after.cpu - before.cpu) * 1e6) / count, bytes: (after.memory - before.memory) / count,
  });
};

if (kind === 'run' || kind === 'sleep') { await bulk(); await work(); }
else if (kind === 'take') await work();
else if (kind === 'idle' || kind === 'hang') { if (count) await add(-1); await work(); }
else if (kind === 'feed') await feed();
else await adding();
process.exit(0);
