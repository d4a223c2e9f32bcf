"""What is checked are bindings of ours; `test_every_binding.py` tries values of all of them."""

from typing import Any

import gin
import pytest

from hts_tf import bindings, config, configurables, errors, settings  # noqa: F401  gin configurables

THEIRS = """
theirs.thing = @made()
scope/theirs.size = 'large'
"""


@pytest.mark.usefixtures("clean_gin")
def test_what_others_configure_in_this_process_is_their_affair(namesake):
    def made():
        raise AssertionError("nobody has called it")

    def theirs(size: int = 1, thing: object = None):
        pass

    for function in (made, theirs):
        namesake(function, "other")
    lines = [line for line in THEIRS.splitlines() if line]
    with pytest.raises(errors.ConfigError, match="scopes have no effect here"):
        config.load("synthetic", "hts_ppo", gin_bindings=lines[1:])
    config.load("synthetic", "hts_ppo")
    gin.clear_config()
    gin.parse_config(THEIRS)
    before = gin.config_str()
    gin.finalize()
    assert gin.config_str() == before
    assert gin.query_parameter("scope/theirs.size") == "large"


@pytest.mark.parametrize("by", [gin.configurable, configurables.configurable])
def test_what_is_bound_can_be_told_to_another_process(clean_gin, by):
    @by
    def mine(size: int = 1, then: Any = None):
        return size, then

    try:
        gin.parse_config("mine.size = %many\nmany = 3\nPPO.optimizer = @rmsprop")
        dumped = bindings.dump()
        gin.parse_config("PPO.epochs = 5")
        bindings.restore(dumped + "\nelsewhere.x = 1")
        assert gin.get_configurable("mine")() == (3, None)
        assert gin.query_parameter("PPO.optimizer").selector == "rmsprop"
        with pytest.raises(ValueError, match="epochs"):
            gin.query_parameter("PPO.epochs")
        bindings.restore("mine.then = @of_a_module_that_is_not_imported")
        with pytest.raises(ValueError, match="of_a_module_that_is_not_imported"):
            gin.get_configurable("mine")()
    finally:
        configurables._made.pop(f"{__name__}.mine", None)
        configurables._given.pop(f"{__name__}.mine", None)
        gin.config._REGISTRY.pop(f"{__name__}.mine")
