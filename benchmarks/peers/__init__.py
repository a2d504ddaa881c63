"""One module a side: `SIDE ADDRESS QUEUE KIND COUNT CONCURRENCY` prints one line of JSON.

Only the side's own venv is there when one runs, so these modules import the standard library, the side's
package and `common`, `ledger`, `coroutines` or `foreground`. ADDRESS is a port of a Valkey on 127.0.0.1,
or the DSN of a PostgreSQL.

| kind | what is done and timed |
| --- | --- |
| setup | connect, and make tables where there are none |
| run | add COUNT jobs, then run them: from the first handler's start to the last one's end |
| sleep | the same with handlers that sleep for 10 ms |
| bulk | add COUNT jobs in the side's best way for many |
| add | add them one by one, each awaited |
| gather | add them 100 at a time, concurrently |
| take | run COUNT jobs that another process adds; prints `ready` when it has run the probe |
| feed@RATE | add a probe; when told on stdin to go on, COUNT jobs at RATE a second, open loop |
| idle | add the probe and start a worker, which prints `ready`, and idles until stdin is closed |
| hang | the same, but the handler prints `ready` and never ends; with COUNT 0 nothing is added |
"""
