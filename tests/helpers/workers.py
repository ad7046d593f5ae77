"""What workers of a cluster are sent: they import it from here."""

import os


def die_once(block, path):
    """Kill this worker at the fortieth reading of a block."""
    with open(path + ".reads", "a") as file:
        file.write(".")
    if os.path.getsize(path + ".reads") == 40 and not os.path.exists(path):
        with open(path, "w"):
            pass
        os._exit(1)
    return block
