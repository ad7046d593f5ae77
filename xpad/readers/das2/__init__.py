"""das2 streams, such as Juno's exports."""
