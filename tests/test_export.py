"""What is exported plays whole episodes as the policy itself does."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from hts_tf import errors, specs
from hts_tf.environments.synthetic import Synthetic
from hts_tf.files import checkpoint
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.export_formats import FORMATS
from hts_tf.networks.exported import Exported, bounded
from hts_tf.networks.normalisation import ObservationNormaliser
from hts_tf.networks.torsos import ToFloat
from hts_tf.networks.transparent import Transparent
from tests import command_line, refusals
from tests.command_line import SMALL

GAMES = {
    "recall": ["--scenario=recall"],
    "HalfCheetah": ["--scenario=HalfCheetah-v5", "--gin_bindings=Gymnasium.max_episode_steps = 13"],
    "a map of football": [
        "--scenario=academy_empty_goal_close",
        *command_line.SMALL_CNN_FLAGS,
    ],
    "players, and what a critic sees": [
        "--scenario=academy_3_vs_1_with_keeper",
        *command_line.FOOTBALL_PLAYERS,
        "--gin_bindings=Football.left_players = 2",
        "--gin_bindings=Football.critic_state = True",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("game", GAMES)
def test_formats(game, tmp_path):
    workdir = tmp_path / "run"
    train = [f"--workdir={workdir}", *GAMES[game], *SMALL]
    code, _, complaints = command_line.run("hts_tf.train", *train)
    assert code == 0, complaints
    kind = [*FORMATS][[*GAMES].index(game)]  # each once by the command; the benchmark writes all
    flags = [f"--workdir={workdir}", f"--format={kind}", f"--output={tmp_path / f'policy.{kind}'}"]
    code, said, complaints = command_line.run("hts_tf.export", *flags)
    assert code == 0, complaints
    assert "takes noise: " in said
    assert "returns action: " in said
    assert "critic" not in said
    assert said.count("state_") == (4 if game == "recall" else 0)  # c and h
    code, said, complaints = command_line.run(
        "hts_tf.benchmarks.formats", f"--workdir={workdir}", "--episodes=1"
    )
    assert code == 0, complaints
    rows = [line.split() for line in said.splitlines()[-len(FORMATS) :]]
    assert [row[0] for row in rows] == [*FORMATS]
    for name, _, _, others, distance in rows:
        assert others == "0", name
        assert float(distance) < 1e-4, name
    if game == "recall":
        code, _, complaints = command_line.run("hts_tf.export", *flags)
        assert code == 2
        assert "is there already" in complaints


REFUSED = [
    (["--output={}/policy.onnx"], "ends as --format=onnx does, and --format is saved_model: chan"),
    (["--output={}/policy.onnx", "--format=tflite"], "ends as --format=onnx does, and --format is"),
    (["--output={}/policy.tflite", "--format=keras"], "ends as --format=tflite does, and --format"),
    (["--output={}/policy", "--format=keras"], "/policy must end in .keras, else Keras"),
    (["--output={}"], "is there already: remove it, or give another"),
]


def test_where_nothing_can_be_written_is_known_before_anything_is_loaded(tmp_path):
    commands = [
        ["--workdir=nowhere", *(flag.format(tmp_path) for flag in flags)] for flags, _ in REFUSED
    ]
    results = refusals.of("hts_tf.export", "export", commands)
    for result, (_, says) in zip(results, REFUSED, strict=True):
        refusals.check(result, says)


@pytest.mark.slow
def test_what_a_run_computed_in_bfloat16_is_exported_in_float32(tmp_path):
    """TFLite's converter, for one, knows no other."""
    configuration = [
        "Trainer.environment = @Synthetic()",
        "Trainer.algorithm = @PPO()",
        "ActorCritic.torso = @mlp",
        "Compute.precision = 'mixed_bfloat16'",
    ]
    (tmp_path / "config.gin").write_text("\n".join([*configuration, ""]))
    agent = ActorCritic(Synthetic().spec, 0, torsos.mlp)
    arrays = {f"variable/{i}": v.numpy() for i, v in enumerate(agent.variables)}
    made = {"run/updates": np.array(3), "run/env_steps": np.array(4000)}
    checkpoint.save(tmp_path / "checkpoints", 4, {**arrays, **made}, keep=1)
    output = tmp_path / "policy.tflite"
    flags = [f"--workdir={tmp_path}", "--format=tflite", f"--output={output}"]
    code, _, complaints = command_line.run("hts_tf.export", *flags)
    assert code == 0, complaints
    given = {"observation": np.ones((2, 4), np.float32), "noise": np.zeros((2, 4), np.float32)}
    expected = agent.act(given["observation"], (), given["noise"]).policy["logits"]
    with warnings.catch_warnings():  # that there is a package which does the same
        warnings.simplefilter("ignore")
        found = tf.lite.Interpreter(str(output)).get_signature_runner()(**given)["logits"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_tflite_leaves_the_agent_as_it_was(tmp_path):
    """It has its statistics in float32; other formats do not."""
    spec = specs.EnvironmentSpec(
        specs.ArraySpec((3,), "float32"), specs.DiscreteSpec(num_values=2), max_episode_steps=5
    )
    agent = ActorCritic(spec, 0, torsos.mlp, normalise_observations=True)
    FORMATS["tflite"](Exported(agent, spec), tmp_path / "policy.tflite")
    [normaliser] = [layer for layer in agent.layers if isinstance(layer, ObservationNormaliser)]
    assert normaliser.arithmetic == "float64"


@pytest.mark.parametrize("names", [("noise", "x"), ("pos.x", "pos_x")])
def test_two_inputs_of_one_name_are_refused(names):
    array = specs.ArraySpec((3,), "float32")
    choice = specs.DiscreteSpec(num_values=3)
    spec = specs.EnvironmentSpec(dict.fromkeys(names, array), choice, max_episode_steps=5)
    with pytest.raises(errors.ConfigError, match="two inputs of the policy would be called"):
        Exported(ActorCritic(spec, 0, torsos.mlp), spec)


ARRAY = specs.ArraySpec((3,), "float32")


@pytest.mark.parametrize(
    ("seen", "inputs"),
    [
        ({"x": ARRAY, "critic-state": ARRAY}, {"x", "critic_state", "noise"}),
        ({"x": ARRAY, specs.CRITIC_STATE: {"a": ARRAY, "b": ARRAY}}, {"x", "noise"}),
    ],
)
def test_what_only_a_critic_sees_is_no_input(seen, inputs):
    """Whatever else has a name like that is one."""
    spec = specs.EnvironmentSpec(seen, specs.DiscreteSpec(num_values=3), max_episode_steps=5)
    policy = Exported(ActorCritic(spec, 0, torsos.mlp, value_torso=torsos.mlp), spec)
    assert policy.inputs.keys() == inputs
    assert ("value" in policy.outputs) == (specs.CRITIC_STATE not in seen)
    rows = {name: np.zeros((2, *x.shape[1:]), x.dtype.name) for name, x in policy.inputs.items()}
    for name in inputs - {"noise"}:
        before, after = (
            policy.function(*({**rows, name: row}[key] for key in policy.inputs))["logits"]
            for row in (rows[name], rows[name] + 1)
        )
        assert not np.array_equal(before, after), name


@pytest.mark.parametrize("name", ["action", "logits"])
def test_onnx_has_one_name_for_one_array(name, tmp_path):
    pytest.importorskip("tf2onnx", reason="the extra 'onnx' is not installed")
    choice = specs.DiscreteSpec(num_values=3)
    spec = specs.EnvironmentSpec({"x": ARRAY, name: ARRAY}, choice, max_episode_steps=5)
    policy = Exported(ActorCritic(spec, 0, torsos.mlp), spec)
    with pytest.raises(errors.ConfigError, match=f"--format=onnx has one name.* '{name}'"):
        FORMATS["onnx"](policy, tmp_path / "policy.onnx")


def test_half_a_saved_model_is_none(tmp_path, monkeypatch):
    def write_some(_, path, **__):
        (Path(path) / "variables").mkdir(parents=True)
        raise tf.errors.PermissionDeniedError(None, None, "not here")

    archive = type(keras.export.ExportArchive())  # which is another one's name, too
    monkeypatch.setattr(archive, "write_out", write_some, raising=False)
    choice = specs.DiscreteSpec(num_values=3)
    spec = specs.EnvironmentSpec(ARRAY, choice, max_episode_steps=5)
    policy = Exported(ActorCritic(spec, 0, torsos.mlp), spec)
    with pytest.raises(OSError, match="not here"):
        FORMATS["saved_model"](policy, tmp_path / "policy")
    assert not [*tmp_path.iterdir()]


@given(
    st.sampled_from(["float32", "float64"]),
    st.sampled_from(["clip", "tanh"]),
    st.tuples(*[st.integers(-(10**8), 10**8)] * 2)
    .filter(lambda ends: ends[0] < ends[1])
    .map(lambda ends: tuple(end / 1000 for end in ends)),  # all far from the smallest numbers
    st.floats(-1e4, 1e4, width=32),
)
@example("float32", "tanh", (-1.0, 0.2), 12.0)
@example("float64", "clip", (0.0, 0.1), 12.0)
def test_bounded_actions_are_within_the_bounds(dtype, bounded_by, ends, action):
    low, high = ((float(np.array(end, dtype)),) for end in ends)
    spec = specs.BoxSpec((), dtype, low=low, high=high, bounded_by=bounded_by)
    found = np.asarray(bounded(spec, tf.constant(action, tf.float32)))
    assert spec.bounds[0] <= found <= spec.bounds[1]
    expected = spec.bounded(np.array(action, dtype))
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5 * (high[0] - low[0]))


class Doubled(keras.layers.Layer):
    """A layer of a user's, with an operation of Keras's."""

    def call(self, x):
        return keras.ops.multiply(x, 2.0)


class Tripled(Transparent):
    """A layer of a user's, with one of TensorFlow's."""

    def call(self, x):
        return tf.multiply(x, 3.0)


@pytest.mark.parametrize(
    ("layer", "what"), [(Doubled, "Doubled"), (Tripled, "TensorFlow's functions")]
)
def test_keras_refuses_what_its_file_would_not_bring_along(layer, what, tmp_path):
    spec = specs.EnvironmentSpec(
        specs.ArraySpec((3,), "float32"), specs.DiscreteSpec(num_values=2), max_episode_steps=5
    )
    agent = ActorCritic(spec, 0, torso=lambda seen, seeds: [ToFloat(seen), layer()])
    with pytest.raises(errors.ConfigError, match=f"--format=keras needs .*, not {what}: "):
        FORMATS["keras"](Exported(agent, spec), tmp_path / "keras")
    assert not [*tmp_path.iterdir()]
