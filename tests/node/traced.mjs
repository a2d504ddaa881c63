// A producer or a worker that is traced by BullMQ's own telemetry and tells an OTLP/HTTP collector.
// Arguments: the server's port, the collector's URL, then `add QUEUE NAME`, or `run QUEUE` for one job.
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { Queue, Worker } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';

const [port, collector, verb, name, jobName] = process.argv.slice(2);
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'node' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${collector}/v1/traces` }))],
});
provider.register();
const options = {
  connection: { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null },
  telemetry: new BullMQOtel({ tracerName: 'bullmq' }),
};

if (verb === 'add') {
  const queue = new Queue(name, options);
  await trace.getTracer('shop').startActiveSpan('order', async (span) => {
    await queue.add(jobName, { orderId: 7 });
    span.end();
  });
  await queue.close();
} else {
  const worker = new Worker(name, async (job) => ({ by: 'node', name: job.name }), options);
  await new Promise((resolve, reject) => {
    worker.on('completed', resolve);
    worker.on('failed', (_, error) => reject(error));
  });
  await worker.close();
}
await provider.shutdown();
