"""A job engine for Python on Valkey/Redis that speaks the data format of BullMQ."""
