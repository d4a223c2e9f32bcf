import importlib
import os
import shutil
import sys

import pytest

from hts_tf.system import source


@pytest.fixture
def module(tmp_path, monkeypatch):
    path = tmp_path / "module_of_test_source.py"
    path.write_text("NUMBER = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    importlib.import_module(path.stem)
    return path


def edit(path):
    path.write_text("NUMBER = 2\n")  # as long as before


def replace(path):
    shutil.copy2(path, path.with_suffix(".new"))
    os.utime(path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("change", [edit, replace, os.unlink])
def test_a_change_is_told_once(module, change):
    known = source.Source()
    assert known.changed() == []
    change(module)
    assert known.changed() == [str(module)]
    assert known.changed() == []


def test_what_has_not_been_imported_counts_if_it_is_of_this_package():
    known = source.Source()
    assert any(path.endswith("hts_tf/dashboard/plugin.py") for path in known._seen)
