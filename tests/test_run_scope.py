import pytest

from hts_tf import errors, run_scope


def test_environments_that_differ_between_machines():
    first = {"mujoco": "3.3.1", "module mine": "0123"}
    run_scope.check_alike([first, first, {"mujoco": "3.3.1"}])
    with pytest.raises(errors.ConfigError, match="machine 1 has module mine 4567, machine 0 0123"):
        run_scope.check_alike([first, {**first, "module mine": "4567"}])
