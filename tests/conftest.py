import collections
import gc
import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # each test's process would take all of its memory
os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)  # the user's own
os.environ.pop("RAY_ADDRESS", None)

import gin
import hypothesis
import pytest

from hts_tf.system import start, stop_signals

# By default an example that takes 0.2 s fails; on a busy machine, any of them may.
hypothesis.settings.register_profile("hts_tf", deadline=None)
hypothesis.settings.load_profile("hts_tf")


def pytest_configure() -> None:
    # What a script's shell has started in the background ignores it, as would what tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Without looking for garbage among what is imported, all of which stays."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files with most slow tests come first: one that ends last has a core to itself."""
    slow = collections.Counter(i.path for i in items if i.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def op_determinism():
    """For tests that compute with TensorFlow: as in a run, the same bits each time."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


@pytest.fixture
def clean_gin():
    """For tests that bind anything in gin, whose configuration is global."""
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture
def unwinding():
    """Signals that ask for an end raise, as in a command."""
    before = {number: signal.getsignal(number) for number in start.stopping()}
    stop_signals.unwind()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def hangs_up():
    """SIGHUP is not ignored, also where who started the tests had it so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def namesake(clean_gin):
    """Registers, for one test, a configurable with a name that another one has."""
    selectors = []

    def register(target, module):
        selectors.append(f"{module}.{target.__name__}")
        gin.configurable(target, module=module)

    yield register
    for selector in selectors:
        gin.config._REGISTRY.pop(selector)
