"""Models: policies that come with the package play as they did, and anybody can make one."""

import hashlib
import json
import re

import numpy as np
import pytest

from hts_tf import confidence
from hts_tf.files import archive, checkpoint, models, policies, scope
from hts_tf.files.workdir import Workdir
from tests import command_line, refusals
from tests.command_line import SMALL

# Plays the first episodes of each model's evaluation again; prints the share of actions that its
# policy chooses as it did then, where those of then are taken. For the models that are named, whose
# bits are to be the same, it is 1 if what comes of these episodes is the same, else 0.
PLAY = """
import json, sys
import numpy as np
import hts_tf
from hts_tf.files import archive, models

def what_came_of(records):
    return [(r.score, np.float32(r.episode_return), r.seed, r.actions) for r in records]

def chosen_again(policy, records):
    environment = policy.environment.make()
    observation = policy.environment.spec.new_observation()
    same = []
    for number, record in enumerate(records):
        state = policy.initial_state(number)
        environment.reset(policy.episode_seed(number), observation)
        for action in np.frombuffer(record.actions, policy.environment.spec.action.dtype):
            chosen, state = policy.act(observation, state)
            same.append(chosen == action)
            environment.step(int(action), observation)
    environment.close()
    return np.mean(same)

for name in models.names():
    policy = hts_tf.load(name)
    records = archive.read(models.find(name) / archive.FILE_NAME)[:2]
    if name in sys.argv[1:]:
        share = what_came_of(policy.evaluate(len(records))) == what_came_of(records)
    else:
        share = chosen_again(policy, records)
    print(json.dumps([name, float(share)]))
"""

# Of a scope: on what the bits of a policy's answers depend.
COMPUTES = ("processor", "tensorflow", "keras", "numpy", "C library")


@pytest.mark.slow
def test_models_play_as_they_did():
    here = {what: scope.describe()[what] for what in COMPUTES}
    there = {name: Workdir(models.find(name)).scopes()[0] for name in models.names()}
    of_here = [name for name in there if here.items() <= there[name].items()]
    code, said, complaints = command_line.run("tests.program", PLAY, *of_here)
    assert code == 0, complaints
    shares = dict(json.loads(line) for line in said.splitlines())
    assert [*shares] == models.names()
    assert shares
    for name, share in shares.items():
        # Elsewhere last bits may differ, and decide between actions that are nearly as good.
        assert share == 1.0 if name in of_here else share >= 0.9, name


FEW_MATCHES = ["--episodes=1", "--processes=1", "--output=table"]


@pytest.mark.slow
def test_names_of_models_are_taken_where_policies_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, other = "academy_3_vs_1_with_keeper", "academy_counterattack_easy"
    for command, said in {
        ("evaluate", f"--model={name}", "--episodes=1", "--novideo"): "score: mean ",
        ("replay", f"--model={name}", f"--opponent={other}", "--check_only"): f"{other}@",
        ("export", f"--model={name}", "--output=policy"): "returns action: ",
        ("tournament", f"--workdirs={name},{other}", *FEW_MATCHES): "rating",
    }.items():
        module, *flags = command
        code, output, complaints = command_line.run(f"hts_tf.{module}", *flags)
        assert code == 0, complaints
        assert said in output
    ratings = (tmp_path / "table.csv").read_text()
    assert name in ratings and other in ratings


BLIND = """
import dataclasses
import gin
from hts_tf import errors
from hts_tf.environments import synthetic

@gin.configurable
@dataclasses.dataclass(frozen=True)
class Blind(synthetic.Synthetic):
    def watch(self, render=False):
        raise errors.ConfigError("Blind has no pictures")
"""


@pytest.mark.slow
def test_a_policy_without_pictures_becomes_a_model_without_a_video(tmp_path):
    (tmp_path / "blind.py").write_text(BLIND)
    blind = ["--gin_bindings=import blind", "--gin_bindings=Trainer.environment = @Blind()"]
    flags = ["--scenario=synthetic", *SMALL, *blind]
    publish = [f"--policy={tmp_path / 'run'}", f"--output={tmp_path / 'model'}", "--episodes=2"]
    for command in (
        ["hts_tf.train", f"--workdir={tmp_path / 'run'}", *flags],
        ["hts_tf.publish", *publish, "--modules=blind"],
    ):
        code, _, complaints = command_line.run(*command, pythonpath=[tmp_path])
        assert code == 0, complaints
    assert "no best.gif: Blind has no pictures" in complaints
    made = {path.name for path in (tmp_path / "model").iterdir()}
    assert made == {"checkpoints", "config.gin", "episodes.bin", "episodes.csv"}


# Of what `hts_tf.publish` starts: the first fails, the second is interrupted.
ENDED = """
from hts_tf.system import child, stop_signals

endings = [child.ChildError("it was killed", 1), stop_signals.Interrupted(15)]

def run(*_):
    raise endings.pop(0)

child.run = run
"""


@pytest.mark.slow
def test_a_model_that_is_not_whole_is_none(tmp_path):
    flags = [f"--policy={models.names()[0]}", f"--output={tmp_path / 'model'}"]
    failed, interrupted = refusals.of("hts_tf.publish", "publish", [flags, flags], before=ENDED)
    assert failed == [1, "", "error: it was killed\n"]
    assert interrupted == [143, "", ""]
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_a_policy_becomes_a_model(tmp_path):
    run, model = tmp_path / "run", tmp_path / "model"

    def typed(module, *flags, code=0):
        found, said, complaints = command_line.run(module, *flags)
        assert found == code, complaints
        return said + complaints

    # Observed by somebody whom the model does not know.
    watched = f"--gin_files={command_line.ROOT / 'tests/extensions/witness.gin'}"
    modules = "--modules=tests.extensions"
    trained = typed("hts_tf.train", f"--workdir={run}", "--scenario=recall", *SMALL, watched)
    # As of a run that was made elsewhere: a model's scope is that of its episodes.
    [*_, last] = sorted((run / "checkpoints").glob("*.ckpt"))
    state = checkpoint.load(last)
    elsewhere = {**json.loads(state["run/scope"].item()), "processor": "another"}
    state["run/scope"] = np.array(json.dumps(elsewhere))
    checkpoint.save(last.parent, int(last.stem), state)
    publish = [f"--policy={run}", f"--output={model}", "--episodes=3", "--seed=5", modules]
    published = typed("hts_tf.publish", *publish)
    [expected] = re.findall(r"parameters (\w{64})", trained)
    assert re.findall(r"parameters (\w{64})", published) == [expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "run"]
    assert Workdir(model).scopes()[0]["processor"] == scope.describe()["processor"]
    again = tmp_path / "again.csv"
    evaluate = ["--episodes=3", "--seed=5", "--novideo", f"--output={again}"]
    typed("hts_tf.evaluate", f"--workdir={model}", *evaluate)
    assert again.read_text() == (model / "episodes.csv").read_text()
    typed("hts_tf.evaluate", f"--workdir={run}", *evaluate, modules)
    assert again.read_text() == (model / "episodes.csv").read_text()
    said = typed("hts_tf.replay", f"--workdir={model}", "--best", "--check_only")
    assert "agree with the archive" in said
    configuration = (model / "config.gin").read_bytes()
    other = "--gin_bindings=Trainer.num_executors = 1"
    said = typed("hts_tf.train", f"--workdir={model}", "--scenario=recall", *SMALL, other, code=2)
    assert "holds a model" in said
    assert (model / "config.gin").read_bytes() == configuration
    assert f"Trainer.start_from = '{model}'" in said
    assert "is there already" in typed("hts_tf.publish", *publish, code=2)


def test_results_of_a_model_are_written_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [name, *_] = models.names()
    before = set(models.find(name).rglob("*"))
    code, said, complaints = command_line.run(
        *("hts_tf.replay", f"--model={name}", "--best", "--last_step=9"),
        pythonpath=[command_line.ROOT],
    )
    assert code == 0, complaints
    [video] = (tmp_path / "runs" / "models" / name / "replays").iterdir()
    assert said.splitlines()[-1].endswith(video.name)
    assert set(models.find(name).rglob("*")) == before


def test_a_directory_of_its_name_does_not_hide_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [name, *_] = models.names()
    (tmp_path / name).mkdir()
    assert policies.workdir(name).path == models.find(name)


REFUSED = [
    (["--workdir=academy_empty_goal_close"], "is a model: --model=academy_empty_goal_close"),
    (["--workdir=runs/a@best"], "it is given without @..."),
    ([], "Exactly one of (workdir, model)"),
    (["--model=academy_empty_goal_close", "--workdir=run"], "Exactly one of (workdir, model)"),
    (["--model=academy_empty_gaol_close"], "did you mean academy_empty_goal_close"),
]


@pytest.fixture(scope="module")
def refused():
    """What each of these commands comes to."""
    commands = [[*flags, "--list"] for flags, _ in REFUSED]
    return refusals.of("hts_tf.replay", "run", commands)


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_what_names_no_run_or_two_is_refused(refused, number, says):
    refusals.check(refused[number], says)


def test_the_page_says_how_they_play():
    page = (command_line.ROOT / "docs/models.md").read_text()
    row = r"^\| `(\w+)` \| [\d,]+ \| (.+?) \| (.+?) \| `(\w+)` \|$"
    rows = re.findall(row, page, re.MULTILINE)
    assert [name for name, *_ in rows] == models.names()
    for name, score, episode_return, fingerprint in rows:
        told = score.replace("(", "(95 % interval ") if " to " in score else score
        said = f"score {told}, return {episode_return}"
        episodes = archive.read(models.find(name) / archive.FILE_NAME)
        assert said == confidence.described(episodes)
        found = policies.read(name).arrays
        count = sum(key.startswith("variable/") for key in found)
        parameters = b"".join(found[f"variable/{i}"].tobytes() for i in range(count))
        assert hashlib.sha256(parameters).hexdigest()[:16] == fingerprint
