"""Kafka topics: a client of them, the batches it reads, and the rows those become."""
