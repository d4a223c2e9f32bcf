import re

import pytest

from hts_tf import errors
from hts_tf.system import installation
from tests import command_line

SET_UP = (command_line.ROOT / "launch/setup.sh").read_text()


def test_what_is_always_set_up():
    found = re.findall(r'"(football,[a-z,]+)', SET_UP)
    assert found
    for names in found:
        assert tuple(names.rstrip(",").split(",")) == installation.ALWAYS_SET_UP


@pytest.mark.parametrize(("extra", "ending"), [("atari", " --extras=atari"), ("plot", " --force")])
def test_says_what_to_install(extra, ending):
    with (
        pytest.raises(
            errors.ConfigError, match=r"^a game needs .*\(No module named 'x\.y\.z'"
        ) as e,
        installation.needing(extra, "a game"),
    ):
        raise ModuleNotFoundError("No module named 'x.y.z'")
    assert str(e.value).endswith(f"{installation.extra_command(extra)} installs them")
    assert installation.extra_command(extra).endswith(ending)


def test_says_what_to_install_where_there_is_no_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "_CHECKOUT", tmp_path)
    assert installation.extra_command("plot").endswith(" -m pip install 'hts_tf[plot]'")


def test_other_faults_are_left_alone():
    with pytest.raises(ValueError, match="of its own"), installation.needing("plot", "a picture"):
        raise ValueError("of its own")
