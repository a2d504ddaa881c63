"""The pages of administrators: queues, jobs, schedules, dead letters, workers, audit."""
