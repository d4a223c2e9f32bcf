import pytest

from hts_tf import errors
from hts_tf.system import outputs, whole


def test_a_place_is_prepared(tmp_path):
    outputs.prepare(tmp_path / "new" / "file", "it")
    assert [*tmp_path.rglob("*")] == [tmp_path / "new"]
    (tmp_path / "file").touch()
    with pytest.raises(errors.ConfigError, match=r"^it cannot be written: .*file"):
        outputs.prepare(tmp_path / "file" / "other", "it")


@pytest.mark.parametrize("text", ["runs/a b@7", "試" * 90, "x" * 300])
def test_names_fit_into_a_directory(tmp_path, text):
    name = outputs.as_name(text)
    assert name
    whole.check(tmp_path / f"evaluation_000000001_most_probable_against_{name}_seed0.csv")


def test_what_is_there_already_stays(tmp_path):
    assert outputs.new(str(tmp_path / "new")) == tmp_path / "new"
    with pytest.raises(errors.ConfigError, match=f"--output={tmp_path} is there already"):
        outputs.new(str(tmp_path))
