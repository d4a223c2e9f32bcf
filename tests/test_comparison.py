import numpy as np
import pytest

from hts_tf import comparison, errors
from hts_tf.comparison import Run
from hts_tf.environments.football import football
from hts_tf.files import checkpoint
from hts_tf.files.workdir import Workdir


def test_methods_are_compared_close_in_time():
    names = [
        (run.scenario, run.seed, run.method)
        for run in comparison.grid(
            ["synthetic", "academy_corner"], ["ppo", "hts_ppo"], ["1", "0", "1"]
        )
    ]
    assert names == [
        (scenario, seed, method)
        for scenario in ("synthetic", "academy_corner")
        for seed in (1, 0)
        for method in ("ppo", "hts_ppo")
    ]


@pytest.mark.parametrize(
    ("scenarios", "methods", "seeds", "says"),
    [
        (["synthetic", "academy_cornr"], ["ppo"], ["0"], "did you mean academy_corner"),
        (["synthetic"], ["ppo", "htsppo"], ["0"], "did you mean hts_ppo"),
        (["synthetic"], ["ppo"], ["0", "-1"], "--seeds .* '-1'"),
        (["synthetic"], ["ppo"], [""], "--seeds"),
        ([], ["ppo"], ["0"], "--scenarios"),
    ],
)
def test_refuses(scenarios, methods, seeds, says):
    with pytest.raises(errors.ConfigError, match=says):
        comparison.grid(scenarios, methods, seeds)


def test_football_has_targets_also_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(football.scenarios, "names", tuple)
    assert comparison.targets_of(["academy_corner", "11_vs_11_stochastic"]) == comparison.TARGETS
    assert comparison.targets_of(["academy_corner", "CartPole-v1"]) == ()


def test_a_directory_has_one_configuration(tmp_path):
    output, file = tmp_path / "output", tmp_path / "mine.gin"
    file.write_text("PPO.clip = 0.1\n")
    comparison.claim(output, [], ["Trainr.num_envs = 4"])
    comparison.claim(output, [file], ["Trainer.num_envs = 4"])  # no run accepted the other
    (output / "run").mkdir()
    (output / "run" / "config.gin").touch()
    comparison.claim(output, [file], ["Trainer.num_envs = 4"])
    for other in ([], ["Trainer.num_envs = 4"]), ([file], []), ([file], ["PPO.clip = 0.1"]):
        with pytest.raises(errors.ConfigError, match=r"common\.gin"):
            comparison.claim(output, *other)
    (output / "common.gin").unlink()
    with pytest.raises(errors.ConfigError, match="holds runs that were not made together"):
        comparison.claim(output, [file], [])
    with pytest.raises(errors.ConfigError, match="--gin_files"):
        comparison.claim(output, [tmp_path / "no.gin"], [])
    with pytest.raises(errors.ConfigError, match="--output"):
        comparison.claim(file / "output", [], [])


def test_files_that_are_included_count(tmp_path):
    output, included, given = (tmp_path / name for name in ("output", "base.gin", "mine.gin"))
    included.write_text("PPO.epochs = 2\n")
    given.write_text(f"include '{included}'\n")
    comparison.claim(output, [given], [])
    (output / "run").mkdir()
    (output / "run" / "config.gin").touch()
    comparison.claim(output, [given], [])
    included.write_text("PPO.epochs = 3\n")
    with pytest.raises(errors.ConfigError, match="holds runs with other --gin_files"):
        comparison.claim(output, [given], [])
    included.unlink()
    with pytest.raises(errors.ConfigError, match=r"--gin_files: .*No such file"):
        comparison.claim(output, [given], [])


def test_runs_of_other_settings_are_not_averaged(tmp_path):
    """As they are, where a setting has another value since the first of them was made."""
    runs = [Run(method, "synthetic", seed) for method in ("ppo", "hts_ppo") for seed in range(3)]
    made = [(tmp_path, run) for run in runs]

    def configure(number, seed, *bindings):
        workdir = tmp_path / str(runs[number])
        workdir.mkdir(exist_ok=True)
        text = "\n".join([f"# --seed = {seed}", *bindings, ""])
        workdir.joinpath("config.gin").write_text(text)

    comparison.check_alike(made)
    configure(0, 0, "PPO.clip = 0.1", "Trainer.num_actors = 1")
    configure(3, 0, "PPO.clip = 0.3")
    configure(4, 1, "PPO.clip = 0.3", "PPO.of_newer_code = 1")
    configure(1, 1, "PPO.clip = 0.1", "Trainer.num_actors = 2")
    comparison.check_alike(made)
    configure(2, 2, "PPO.clip = 0.2")
    seed = "synthetic-ppo-seed"
    with pytest.raises(errors.ConfigError, match=rf"clip = 0\.1 in .*{seed}0, 0\.2 in .*{seed}2; "):
        comparison.check_alike(made)
    comparison.check_alike(made, searched=["hts_tf.PPO.clip"])


def test_runs_that_began_with_other_policies_are_not_averaged(tmp_path):
    """As where Opponents.frozen or Trainer.start_from names a run that has gone on since."""
    runs = [Run("ppo", "synthetic", seed) for seed in range(3)]
    made = [(tmp_path, run) for run in runs]
    for run, parameters in zip(runs, ([1.0, 5.0], [1.0], [2.0, 5.0]), strict=True):
        comparison.check_alike(made)
        workdir = Workdir(tmp_path / str(run))
        workdir.path.mkdir()
        workdir.config.write_text(f"# --seed = {run.seed}\nOpponents.frozen = ('runs/a', 'b')\n")
        comparison.check_alike(made)  # it may have been killed there
        for number, value in enumerate(parameters):  # of the second, not all are there yet
            checkpoint.save(workdir.snapshots("frozen"), number, {"parameters": np.array(value)})
    with pytest.raises(errors.ConfigError, match=r"what Opponents\.frozen named when .*0 and"):
        comparison.check_alike(made)
    comparison.check_alike(made, searched=["Opponents.frozen"])
