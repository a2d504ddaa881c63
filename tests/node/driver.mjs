// Node's side, driven over standard input: one JSON object a line, {id, verb, ...} -> {id, ok | error}.
import { createInterface } from 'node:readline';
import { Cluster } from 'ioredis';
import {
  DelayedError, FlowProducer, Queue, QueueEvents, QueueEventsProducer, UnrecoverableError,
  WaitingChildrenError, WaitingError, Worker,
} from 'bullmq';

// The server's port, or `cluster:` and its nodes' ports; then what keys begin with.
const [where, prefix = 'bull'] = process.argv.slice(2);
const host = '127.0.0.1';
const maxRetriesPerRequest = null;
const connection = where.startsWith('cluster:')
  ? new Cluster(where.slice(8).split(',').map((port) => ({ host, port: Number(port) })), { redisOptions: { maxRetriesPerRequest } })
  : { host, port: Number(where), maxRetriesPerRequest };
const shared = { connection, prefix };
const queues = new Map();
const workers = new Map();
const released = new Set();
const listeners = new Map();
const flows = new FlowProducer(shared);

const queue = (name) => {
  if (!queues.has(name)) queues.set(name, new Queue(name, shared));
  return queues.get(name);
};

// What a job's handler does follows from the job's name.
const processor = async (job, token) => {
  if (job.name === 'sum') {
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((sum, value) => sum + value, job.data ?? 0);
  }
  if (job.name === 'one') return 1;
  if (job.name === 'spawn') {
    if (job.attemptsStarted === 1) {
      const parent = { id: job.id, queue: job.queueQualifiedName };
      for (let i = 0; i < 3; i += 1) await queue(job.data.below).add('one', {}, { parent });
      if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
    }
    return Object.values(await job.getChildrenValues()).length;
  }
  if (job.name === 'fail') throw new Error(`no ${job.attemptsMade}`);
  if (job.name === 'hold') {
    const end = Date.now() + 15000;
    while (!released.has(job.queueName) && Date.now() < end) await new Promise((go) => setTimeout(go, 10));
  }
  if (job.name === 'nap') await new Promise((go) => setTimeout(go, job.data.ms));
  if (job.name === 'limit' && job.attemptsStarted === 1) {
    await queue(job.queueName).rateLimit(job.data.ms);
    throw Worker.RateLimitError();
  }
  if (job.name === 'snooze' && job.attemptsStarted === 1) {
    await job.moveToDelayed(Date.now() + 20, token);
    throw new DelayedError();
  }
  if (job.name === 'again' && job.attemptsStarted === 1) {
    await job.moveToWait(token);
    throw new WaitingError();
  }
  if (job.name === 'never') throw new UnrecoverableError('never');
  if (job.name === 'later' && job.attemptsMade === 0) throw new Error('not yet');
  return { by: 'node', data: job.data };
};

const seen = (job) => ({
  id: job.id,
  name: job.name,
  data: job.data,
  opts: job.opts,
  returnvalue: job.returnvalue,
  failedReason: job.failedReason,
  stacktrace: job.stacktrace,
  attemptsMade: job.attemptsMade,
  attemptsStarted: job.attemptsStarted,
  timestamp: job.timestamp,
  processedOn: job.processedOn,
  finishedOn: job.finishedOn,
  priority: job.priority,
  delay: job.delay,
  deduplicationId: job.deduplicationId,
  progress: job.progress,
  stalledCounter: job.stalledCounter,
  deferredFailure: job.deferredFailure,
  parent: job.parent,
  parentKey: job.parentKey,
  repeatJobKey: job.repeatJobKey,
  processedBy: job.processedBy,
  queueName: job.queueName,
  prefix: job.prefix,
});

const tree = (node) => node && { job: seen(node.job), children: (node.children ?? []).map(tree) };

const EVENTS = [
  'added', 'waiting', 'active', 'completed', 'failed', 'delayed', 'deduplicated', 'duplicated', 'drained', 'paused',
  'resumed', 'progress', 'removed', 'cleaned', 'retries-exhausted', 'stalled', 'waiting-children',
];

const verbs = {
  open: async ({ name, opts }) => {
    queues.set(name, new Queue(name, { ...shared, ...opts }));
    await queues.get(name).waitUntilReady();
  },
  obliterate: async ({ name, opts }) => queue(name).obliterate(opts),
  promote: async ({ name, job }) => (await queue(name).getJob(job)).promote(),
  call: async ({ name, method, args }) => queue(name)[method](...args),
  callJob: async ({ name, job, method, args }) => (await queue(name).getJob(job))[method](...args),
  flows: async ({ flows: many }) => (await flows.addBulk(many)).map(tree),
  flow: async ({ flow, opts }) => tree(await flows.add(flow, opts)),
  tree: async ({ name, job }) => tree(await flows.getFlow({ queueName: name, id: job, prefix: 'bull' })),
  dependencies: async ({ name, job }) => (await queue(name).getJob(job)).getDependencies(),
  remove: async ({ name, job, opts }) => (await queue(name).getJob(job)).remove(opts),
  add: async ({ name, job, data, opts }) => seen(await queue(name).add(job, data, opts)),
  addBulk: async ({ name, jobs }) => (await queue(name).addBulk(jobs)).map((job) => job.id),
  get: async ({ name, job }) => {
    const found = await queue(name).getJob(job);
    return found ? { ...seen(found), state: await found.getState() } : null;
  },
  counts: async ({ name }) => queue(name).getJobCounts(),
  pause: async ({ name }) => queue(name).pause(),
  resume: async ({ name }) => queue(name).resume(),
  retry: async ({ name, job }) => (await queue(name).getJob(job)).retry(),
  schedule: async ({ name, scheduler, repeat, job }) =>
    (await queue(name).upsertJobScheduler(scheduler, repeat, { name: job })).id,
  release: async ({ name }) => void released.add(name),
  workers: async ({ name }) => queue(name).getWorkers(),
  metrics: async ({ name, type }) => queue(name).getMetrics(type),
  schedulers: async ({ name }) => queue(name).getJobSchedulers(),
  work: async ({ name, called, ...opts }) => {
    const ran = [];
    // The strategy of jobs whose backoff is of the type `mine`.
    const settings = { backoffStrategy: (made) => (made < 3 ? 10 : -1) };
    const worker = new Worker(name, processor, { ...shared, settings, name: called, ...opts });
    worker.on('active', (job) => ran.push(job.id));
    workers.set(name, { worker, ran });
    await worker.waitUntilReady();
  },
  callWorker: async ({ name, method, args }) => workers.get(name).worker[method](...args),
  stop: async ({ name }) => {
    const { worker, ran } = workers.get(name);
    workers.delete(name);
    await worker.close();
    return ran;
  },
  listen: async ({ name, types = [], since }) => {
    const heard = [];
    const cursors = [];
    const events = new QueueEvents(name, { ...shared, lastEventId: since });
    for (const type of [...EVENTS, ...types]) {
      events.on(type, (event, cursor) => {
        heard.push(typeof event === 'string' ? { type } : { type, ...event });
        cursors.push(typeof event === 'string' ? event : cursor);
      });
    }
    listeners.set(name, { events, heard, cursors });
    // Being ready is not yet reading: only what is written after its first read is heard.
    let reads = false;
    events.on('probe', () => { reads = true; });
    const producer = new QueueEventsProducer(name, shared);
    while (!reads) {
      await producer.publishEvent({ eventName: 'probe' });
      await new Promise((go) => setTimeout(go, 10));
    }
    await producer.close();
  },
  publish: async ({ name, event }) => {
    const producer = new QueueEventsProducer(name, shared);
    await producer.publishEvent(event);
    await producer.close();
  },
  heard: async ({ name }) => listeners.get(name).heard,
  cursors: async ({ name }) => listeners.get(name).cursors,
  wait: async ({ name, job }) =>
    (await queue(name).getJob(job)).waitUntilFinished(listeners.get(name).events, 15000),
  close: async () => {
    for (const { worker } of workers.values()) await worker.close(true);
    for (const { events } of listeners.values()) await events.close();
    for (const each of queues.values()) await each.close();
    await flows.close();
    setImmediate(() => process.exit(0));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, verb, ...args } = JSON.parse(line);
  Promise.resolve()
    .then(() => verbs[verb](args))
    .then((ok) => ({ id, ok: ok ?? null }), (error) => ({ id, error: String(error?.stack ?? error) }))
    .then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
}
