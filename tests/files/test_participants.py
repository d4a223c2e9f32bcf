import functools
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from hts_tf import errors, settings, specs  # noqa: F401  gin configurables
from hts_tf.environments.synthetic import Synthetic
from hts_tf.files import checkpoint, participants
from hts_tf.files.evaluations import Evaluation, Evaluations
from hts_tf.files.policies import Snapshots
from hts_tf.networks import cores, torsos
from hts_tf.networks.actor_critic import ActorCritic

pytestmark = pytest.mark.usefixtures("op_determinism", "clean_gin")

CONFIGURATION = """# --seed = 0
Trainer.environment = @Synthetic()
Trainer.algorithm = @PPO()
ActorCritic.torso = @mlp
mlp.units = (5,)
"""


def make_agent(value, spec=None, units=(5,), **parts):
    torso = functools.partial(torsos.mlp, units=units)
    agent = ActorCritic(spec or Synthetic().spec, 0, torso, **parts)
    for variable in agent.variables:
        variable.assign(np.full(variable.shape, value, np.float32))
    return agent


@pytest.fixture
def workdir(tmp_path):
    """Of a run with a snapshot of update 2, and a checkpoint of update 3; each is a constant."""
    (tmp_path / "config.gin").write_text(CONFIGURATION)
    Snapshots(tmp_path).save(2, make_agent(0.5))
    arrays = {f"variable/{i}": v.numpy() for i, v in enumerate(make_agent(0.75).variables)}
    made = {"run/updates": np.array(3), "run/env_steps": np.array(4000)}
    checkpoint.save(tmp_path / "checkpoints", 4, {**arrays, **made}, keep=1)
    Evaluations(tmp_path).end(
        Evaluations(tmp_path).add(make_agent(0.25), 1, 2000), Evaluation(1, 2000, 9, 0.1, 0.2, 3.0)
    )
    return tmp_path


@pytest.mark.parametrize(
    ("suffix", "name", "value"),
    [
        ("", "@3", 0.75),
        ("@2", "@2", 0.5),
        ("@3", "@3", 0.75),
        ("@1", "@1", 0.25),
        ("@best", "@1", 0.25),
    ],
)
def test_the_newest_and_others(workdir, suffix, name, value):
    found = participants.load(f"{workdir}{suffix}")
    assert found.name == f"{workdir}{name}"
    assert found.environment == Synthetic()
    assert all((variable.numpy() == value).all() for variable in found.agent.variables)


@pytest.mark.parametrize("ending", ["@2", "@best"])
def test_a_run_whose_own_name_looks_like_one_of_anothers_policies(workdir, ending):
    run = workdir / f"run{ending}"
    for place in (run, workdir / "run"):
        shutil.copytree(workdir / "checkpoints", place / "checkpoints")
        shutil.copy(workdir / "config.gin", place)
    Snapshots(run).save(9, make_agent(0.125))
    assert participants.load(str(run)).name == f"{run}@3"
    found = participants.load(f"{run}@9")
    assert all((variable.numpy() == 0.125).all() for variable in found.agent.variables)
    if ending == "@2":  # as `hts_tf.evaluate --checkpoint=2` has it
        Snapshots(workdir / "run").save(2, make_agent(0.5))
        found = participants.load(f"{workdir / 'run'}/@2")
        assert found.name == f"{workdir / 'run'}@2"


def test_each_is_as_precise_as_its_run(workdir):
    half = workdir / "half"
    shutil.copytree(workdir / "checkpoints", half / "checkpoints")
    (half / "config.gin").write_text(f"{CONFIGURATION}Compute.precision = 'mixed_bfloat16'\n")
    for path, kinds in [(half, {"float32", "bfloat16"}), (workdir, {"float32"})]:
        found = participants.load(str(path))
        for loaded, expected in [(found, kinds), (participants.in_float32(found), {"float32"})]:
            layers = loaded.agent._flatten_layers()
            assert {layer.compute_dtype for layer in layers} == expected
            assert all((variable.numpy() == 0.75).all() for variable in loaded.agent.variables)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("{}@4", "@4: there is no such policy, but those of updates 1, 2, 3"),
        ("{}/nowhere", "holds no run"),
        ("", "named WORKDIR, WORKDIR@UPDATES or WORKDIR@best"),
        ("@7", "holds no run"),
    ],
)
def test_what_cannot_be_loaded(workdir, name, says):
    with pytest.raises(errors.ConfigError, match=says):
        participants.load(name.format(workdir))


def test_a_run_without_evaluations(workdir):
    for path in (workdir / "checkpoints" / "best").iterdir():
        path.unlink()
    said = "no policy of this run has been evaluated yet; .* plays itself; .*@2 is a snapshot"
    with pytest.raises(errors.ConfigError, match=said):
        participants.load(f"{workdir}@best")


def test_a_run_without_a_checkpoint(workdir):
    for path in (workdir / "checkpoints").glob("*.ckpt"):
        path.unlink()
    with pytest.raises(errors.ConfigError, match="holds no checkpoint yet"):
        participants.load(str(workdir))
    for path in workdir.rglob("*.ckpt"):
        path.unlink()
    with pytest.raises(errors.ConfigError, match=r"@7: there is no such policy, and no other$"):
        participants.load(f"{workdir}@7")


def test_who_can_meet():
    one = make_agent(0.0)
    participants.check_that_they_can_meet(one, make_agent(1.0, units=(7, 7)), "other")
    spec = Synthetic().spec
    further = specs.DiscreteSpec(num_values=spec.action.num_values + 1)
    for other, what in [
        (Synthetic(num_actions=5).spec, "observation"),
        (specs.EnvironmentSpec(spec.observation, further, 4), "action"),
    ]:
        with pytest.raises(errors.ConfigError, match=f"^other cannot play here: its {what} is"):
            participants.check_that_they_can_meet(one, make_agent(0.0, other), "other")
    other_head = one.step._replace(policy={"mean": specs.ArraySpec((4,), "float32")})
    with pytest.raises(errors.ConfigError, match=r"^other cannot .* its action head is of"):
        participants.check_that_they_can_meet(one, SimpleNamespace(step=other_head), "other")
    # What they remember is their own affair.
    participants.check_that_they_can_meet(one, make_agent(0.0, core=cores.lstm), "other")
