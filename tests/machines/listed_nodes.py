"""What Ray tells of a cluster, where nothing else is asked of it."""

from types import SimpleNamespace


def cluster(dead=(), **processors):
    """A Ray with nodes of these names, the first of them this one, some of them dead."""
    here = SimpleNamespace(get_node_id=lambda: next(iter(processors)))
    nodes = [
        {"NodeID": name, "Alive": name not in dead, "Resources": {"CPU": number} if number else {}}
        for name, number in processors.items()
    ]
    return SimpleNamespace(get_runtime_context=lambda: here, nodes=lambda: nodes)
