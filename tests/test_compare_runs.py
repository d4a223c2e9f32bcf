import numpy as np
import pytest

from hts_tf import compare_runs, errors, rollouts
from hts_tf.files import checkpoint, fingerprint_log, fingerprints, scope
from hts_tf.files.fingerprint_log import CELLS, FingerprintLog
from tests import command_line
from tests.files import made_up
from tests.files.made_up import ENVS, STEPS

LONGER = ("observation", "observation/map", "observation/facts", "value")
CONFIG = "# --seed = 0\nPPO.clip = 0.08\nTrainer.num_actors = 4\n"


def make_run(path, updates=4, config=CONFIG, scopes=(), change=None, make=made_up.make):
    """Writes the workdir of a run.

    scopes: that it was made in, the last one last.
    change: update -> what to replace the arguments of `fingerprints.fingerprint` with.
    """
    path.mkdir()
    (path / "config.gin").write_text(config)
    if scopes:
        state = {name: np.array(text) for name, text in scope.remembered(scopes).items()}
        checkpoint.save(path / "checkpoints", updates, state, keep=1)
    log = FingerprintLog(path, rollouts.leaves(make()), 0)
    for update in range(1, updates + 1):
        arguments = [make(update), [np.float32(update)], [np.int64(update)]]
        if change and update in change:
            arguments = change[update](*arguments)
        rollout, *after = arguments
        part = fingerprints.of_storage(rollout)
        taken = fingerprints.fingerprint([part], *map(fingerprints.digest, after))
        log.append(update, STEPS * ENVS * update, taken)
    log.close()
    return path


def compare(capsys, a, b):
    """Returns exit code and lines."""
    code = compare_runs.run(str(a), str(b))
    out, err = capsys.readouterr()
    assert not err
    return code, out.splitlines()


@pytest.fixture
def run_a(tmp_path):
    return make_run(tmp_path / "a")


def test_identical(capsys, tmp_path, run_a):
    assert compare(capsys, run_a, make_run(tmp_path / "b")) == (0, ["identical up to update 4"])


def test_one_is_shorter(capsys, tmp_path, run_a):
    b = make_run(tmp_path / "b", updates=2)
    line = f"identical up to update 2, where {b} ends; {run_a} goes on to update 4"
    assert compare(capsys, run_a, b) == (0, [line])
    assert compare(capsys, b, run_a) == (0, [line])


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make, name)
        for make in (made_up.make, made_up.make_structured)
        for name in rollouts.leaves(make())
    ],
)
def test_one_bit_of_one_array(capsys, tmp_path, make, name):
    step, env, _ = map(int, np.argwhere(make(3).truncated)[-1])

    def flip(rollout, *rest):
        return made_up.flip(rollout, name, step, env), *rest

    a = make_run(tmp_path / "a", make=make)
    code, (line,) = compare(capsys, a, make_run(tmp_path / "b", change={3: flip}, make=make))
    assert code == 1
    cells = ENVS * (STEPS + (name in LONGER))
    place = f"different from update 3 on, first in {name} at [{step}, {env}] (1 of its {cells} "
    assert line.startswith(place)
    assert ("then in" in line) == (name == "truncated")  # which brings in a truncation_value


def test_runs_of_other_arrays(capsys, tmp_path, run_a):
    b = make_run(tmp_path / "b", make=made_up.make_structured)
    code, (line,) = compare(capsys, run_a, b)
    assert code == 1
    assert line.startswith("different from update 1 on, first in observation; then in ")


def test_difference_in_the_last_row_only(capsys, tmp_path, run_a):
    def flip(rollout, *rest):
        return made_up.flip(rollout, "value", STEPS, 1), *rest

    code, (line,) = compare(capsys, run_a, make_run(tmp_path / "b", change={2: flip}))
    assert code == 1
    assert f"first in value at [{STEPS}, 1]" in line


def test_the_cause_comes_before_its_consequences(capsys, tmp_path, run_a):
    """An action at [2, 1] leads to other observations and rewards, and to another update."""

    def change(rollout, parameters, optimizer):
        for name, step in [("reward", 2), ("action", 2), ("observation", 3), ("logits", 3)]:
            rollout = made_up.flip(rollout, name, step, 1)
        rollout = made_up.flip(rollout, "observation", 4, 0)
        return rollout, [parameters[0] + 1], [optimizer[0] + 1]

    b = make_run(tmp_path / "b", change={2: change, 3: change, 4: change})
    code, (line,) = compare(capsys, run_a, b)
    assert code == 1
    assert line == (
        f"different from update 2 on, first in action at [2, 1] (1 of its {STEPS * ENVS} cells "
        "differ); then in observation, logits, reward, parameters, optimizer"
    )


@pytest.mark.parametrize(("index", "name"), [(1, "parameters"), (2, "optimizer")])
def test_another_update_from_the_same_storage(capsys, tmp_path, run_a, index, name):
    def change(*arguments):
        return [[x[0] + 1] if i == index else x for i, x in enumerate(arguments)]

    code, lines = compare(capsys, run_a, make_run(tmp_path / "b", change={1: change}))
    assert (code, lines) == (1, [f"different from update 1 on, first in {name}"])


def test_without_cells_there_is_no_place(capsys, tmp_path, run_a):
    def flip(rollout, *rest):
        return made_up.flip(rollout, "reward", 0, 0), *rest

    b = make_run(tmp_path / "b", change={3: flip})
    (b / CELLS).unlink()
    assert compare(capsys, run_a, b) == (1, ["different from update 3 on, first in reward"])


def test_a_gap(capsys, tmp_path, run_a):
    b = make_run(tmp_path / "b")
    lines = (b / fingerprint_log.TABLE).read_text().splitlines(keepends=True)
    (b / fingerprint_log.TABLE).write_text("".join([*lines[:2], *lines[4:]]))
    code, (line,) = compare(capsys, run_a, b)
    assert code == 0
    assert line == "identical up to update 4 (2 updates before it have no fingerprint in both)"


def test_likely_causes_come_first(capsys, tmp_path):
    a = make_run(tmp_path / "a", scopes=[{"keras": "3.15.1", "commit": "1234"}])
    other = CONFIG.replace("0.08", "0.2").replace("seed = 0", "seed = 1").replace("4", "2")
    b = make_run(tmp_path / "b", config=other, scopes=[{"keras": "3.15.2", "commit": "5678"}])
    assert compare(capsys, a, b) == (
        0,
        [
            f"the runs differ in --seed = 0 in {a}, 1 in {b}",
            f"the runs differ in PPO.clip = 0.08 in {a}, 0.2 in {b}",
            f"the runs differ in keras: 3.15.1 in {a}, 3.15.2 in {b}",
            "identical up to update 4",
        ],
    )


def test_a_run_that_has_gone_on_with_other_versions(capsys, tmp_path):
    old, new = {"keras": "3.15.1"}, {"keras": "3.15.2"}
    a = make_run(tmp_path / "a", scopes=[new])
    b = make_run(tmp_path / "b", scopes=[old, new], change={2: lambda r, p, o: (r, [p[0] + 1], o)})
    code, (cause, _) = compare(capsys, a, b)
    assert code == 1
    assert cause == f"the runs differ in keras: 3.15.1 in {b} before, then 3.15.2"


def test_what_an_older_workdir_lacks_is_no_difference(tmp_path, run_a):
    """In a process of its own: this one may know the defaults from elsewhere."""
    newer = f"{CONFIG}PPO.value_clip = 'clip'\nFootball.shots_in_front = False\nPPO.epochs = 7\n"
    b = make_run(tmp_path / "b", config=newer)
    code, output, text = command_line.run("hts_tf.compare_runs", run_a, b)
    assert (code, text) == (0, "")
    differs, same = output.splitlines()
    assert differs.startswith("the runs differ in PPO.epochs = ")
    assert same == "identical up to update 4"


@pytest.mark.parametrize(
    "broken",
    ["no workdir", "no fingerprints", "no second argument", "a file that cannot be read"],
)
def test_bad_input(capsys, tmp_path, run_a, broken):
    b = tmp_path / "b"
    arguments = [str(run_a), str(b)]
    if broken == "no fingerprints":
        make_run(b, updates=0)
    if broken == "no second argument":
        arguments.pop()
    if broken == "a file that cannot be read":
        make_run(b)
        (b / fingerprint_log.TABLE).unlink()
        (b / fingerprint_log.TABLE).mkdir()  # which root cannot, either
    with pytest.raises(errors.ConfigError):
        compare_runs.run(*arguments)
    assert capsys.readouterr() == ("", "")
