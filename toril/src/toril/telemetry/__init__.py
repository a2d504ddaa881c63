"""What follows jobs: traces, metrics, logs, error reports (extras: toril[telemetry], toril[sentry]).

Each module needs its own library and is imported by its name: `toril.telemetry.tracing` OpenTelemetry,
`toril.telemetry.prometheus` prometheus-client, `toril.telemetry.logs` structlog, `toril.telemetry.sentry`
sentry-sdk. Their objects go into `Toril(telemetry=[...])`, or into a queue's or a worker's.
"""
