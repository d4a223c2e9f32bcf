"""What is exported plays whole episodes as the policy itself does."""

import subprocess
import sys

import pytest

from hts_tf.networks.exported import FORMATS
from tests import command_line
from tests.test_loading import SMALL

pytestmark = pytest.mark.slow

# Compares all formats with the policy in one episode of most probable actions.
COMPARE = """
import sys
import numpy as np
import tensorflow as tf
import onnxruntime
import hts_tf
from hts_tf import specs, trees
from hts_tf.environments.football import super_mini_map

workdir, directory = sys.argv[1:]
policy = hts_tf.load(workdir)
spec = policy.environment.spec
saved = tf.saved_model.load(directory + "/saved_model").signatures["serving_default"]
lite = tf.lite.Interpreter(directory + "/tflite").get_signature_runner()
onnx = onnxruntime.InferenceSession(directory + "/onnx")
names = [output.name for output in onnx.get_outputs()]
answers = {
    "saved_model": lambda given: {k: v.numpy() for k, v in saved(**given).items()},
    "tflite": lambda given: lite(**given),
    "onnx": lambda given: dict(zip(names, onnx.run(None, given), strict=True)),
}
inputs = {
    key: np.zeros((spec.num_players, *array.shape[1:]), array.dtype.as_numpy_dtype)
    for key, array in saved.structured_input_signature[1].items()
}
environment = policy.environment.make()
observation = spec.new_observation()
environment.reset(5, observation)
state = policy.initial_state()
states = dict.fromkeys(answers, {})
for steps in range(1, 10_000):
    shown = observation if isinstance(observation, dict) else {"observation": observation}
    if isinstance(spec.observation, specs.PixelMapSpec):
        shown = {"observation": super_mini_map.to_image(observation)}
    shown = {k: v if spec.num_players > 1 else v[None] for k, v in shown.items() if k in inputs}
    seen = trees.map(np.copy, observation)
    if policy._gymnasium is not None:
        policy._gymnasium = None  # what is shown here is what it makes of Gymnasium's
    action, state = policy.act(seen, state, deterministic=True)
    for name, answer in answers.items():
        found = answer({**inputs, **shown, **states[name]})
        states[name] = {k.removeprefix("next_"): v for k, v in found.items() if "next_" in k}
        played = np.clip(action, *spec.action.bounds) if "Box" in str(spec.action) else action
        alike = np.allclose(found["action"], played, atol=1e-4)
        assert alike, (name, steps, found["action"], played)
    if environment.step(action, observation).is_over:
        break
print(steps, "env steps")
"""
FOOTBALL_PLAYERS = f"--gin_files={command_line.ROOT / 'gin_configs/football_players.gin'}"
GAMES = {
    "recall": ["--scenario=recall"],
    "HalfCheetah": ["--scenario=HalfCheetah-v5", "--gin_bindings=Gymnasium.max_episode_steps = 13"],
    "a map of football": ["--scenario=academy_empty_goal_close"],
    "players, and what a critic sees": [
        "--scenario=academy_3_vs_1_with_keeper",
        FOOTBALL_PLAYERS,
        "--gin_bindings=Football.left_players = 2",
        "--gin_bindings=Football.critic_state = True",
    ],
}


@pytest.mark.parametrize("game", GAMES)
def test_formats(game, tmp_path):
    workdir = tmp_path / "run"
    train = [f"--workdir={workdir}", *GAMES[game], *SMALL]
    code, _, errors = command_line.run("hts_tf.train", *train)
    assert code == 0, errors
    for kind in FORMATS:
        flags = [f"--workdir={workdir}", f"--format={kind}", f"--output={tmp_path / kind}"]
        code, said, errors = command_line.run("hts_tf.export", *flags)
        assert code == 0, errors
        assert "takes noise: " in said
        assert "returns action: " in said
        assert "critic" not in said
        assert said.count("state_") == (4 if game == "recall" else 0)  # c and h
    played = subprocess.run(
        [sys.executable, "-c", COMPARE, str(workdir), str(tmp_path)], capture_output=True, text=True
    )
    assert played.returncode == 0, played.stderr[-3000:]
    assert "env steps" in played.stdout
    if game == "recall":
        code, _, errors = command_line.run("hts_tf.export", *flags)
        assert code == 2
        assert "is there already" in errors
