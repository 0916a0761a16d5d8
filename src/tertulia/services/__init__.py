"""The verbs. Asynchronous, but without SQL, JSON shapes or sockets."""
