"""What is checked are bindings of ours; `test_every_binding.py` tries values of all of them."""

import gin
import pytest

from hts_tf import config, errors, settings  # noqa: F401  gin configurables

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
    bindings = [line for line in THEIRS.splitlines() if line]
    with pytest.raises(errors.ConfigError, match="scopes have no effect here"):
        config.load("synthetic", "hts_ppo", gin_bindings=bindings[1:])
    config.load("synthetic", "hts_ppo")
    gin.clear_config()
    gin.parse_config(THEIRS)
    before = gin.config_str()
    gin.finalize()
    assert gin.config_str() == before
    assert gin.query_parameter("scope/theirs.size") == "large"
