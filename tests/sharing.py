"""A process that shares memory, which whoever kills it is to have removed."""

import time
from multiprocessing import resource_tracker, shared_memory

from hts_tf.system import processes


def share():
    """Prints its name, once there is who removes it."""
    name = shared_memory.SharedMemory(create=True, size=1).name
    while not processes.cleans_up(resource_tracker._resource_tracker._pid):
        pass
    print(name, flush=True)


if __name__ == "__main__":
    share()
    time.sleep(1000)
