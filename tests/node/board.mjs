// bull-board on queues of the server at a port: node board.mjs PORT QUEUE... prints its own address.
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Queue } from 'bullmq';

const [port, ...names] = process.argv.slice(2);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const queues = names.map((name) => new Queue(name, { connection }));
const adapter = new ExpressAdapter();
createBullBoard({ queues: queues.map((queue) => new BullMQAdapter(queue)), serverAdapter: adapter });
await Promise.all(queues.map((queue) => queue.waitUntilReady()));
const server = adapter.getRouter().listen(0, '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${server.address().port}`),
);
// It ends with its standard input.
process.stdin.resume().on('end', async () => {
  await Promise.all(queues.map((queue) => queue.close()));
  process.exit(0);
});
