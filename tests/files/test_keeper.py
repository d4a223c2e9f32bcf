from types import SimpleNamespace

import numpy as np
import pytest

from hts_tf import errors
from hts_tf.algorithms.a2c import A2C
from hts_tf.environments.synthetic import Synthetic
from hts_tf.files import keeper as keeper_module
from hts_tf.files.archive import FILE_NAME, Record
from hts_tf.files.keeper import Keeper
from hts_tf.files.workdir import Workdir
from hts_tf.schedules.hts import HTS
from hts_tf.settings import Settings
from hts_tf.team import Alone, share
from tests.teams import Threads


def test_only_the_first_machine_writes_episodes(tmp_path):
    settings = Settings(environment=Synthetic(), algorithm=A2C(), schedule=HTS, num_shards=2)

    def play(team):
        keeper = Keeper(settings, Workdir(tmp_path / str(team.number)), 0, team, share(team, 2, 4))
        keeper.claim("", {})
        keeper.episodes = SimpleNamespace(
            add=lambda *_: [Record(0, 0, 0, 0, 1.0, 2.0, b"\5")], state=dict
        )
        round_ = SimpleNamespace(collected=True, slots=None)
        assert len(keeper.round_over(round_, 0, None, [""])) == 1
        keeper.close()
        return (tmp_path / str(team.number) / FILE_NAME).stat().st_size > 0

    assert Threads(2).run(play) == [True, False]


@pytest.mark.parametrize("differ", [True, False])
def test_machines_compare_their_parameters_also_without_fingerprints(tmp_path, differ):
    settings = Settings(
        environment=Synthetic(), algorithm=A2C(), schedule=HTS, num_shards=2, fingerprints=False
    )

    def update(team):
        learner = SimpleNamespace(updates=3)
        place = Workdir(tmp_path / str(team.number))
        keeper = Keeper(settings, place, 0, team, share(team, 2, settings.num_envs))
        keeper.begin(learner, 16)
        try:
            learner.after_update(None, [np.float32(differ and team.number)], [])
        except errors.RunError as error:
            return str(error)
        return "the same"

    said = Threads(2).run(update)
    if differ:
        assert all("update 3 has come out otherwise on machine 1" in each for each in said)
    else:
        assert said == ["the same"] * 2


def test_checkpoints_are_due_after_updates(tmp_path):
    """Not before the first, which a round without anything to learn from may end with."""
    settings = Settings(
        environment=Synthetic(),
        algorithm=A2C(),
        schedule=HTS,
        checkpoint_every_updates=2,
        checkpoint_every_sec=None,
    )
    keeper = Keeper(settings, Workdir(tmp_path), 0, Alone(), share(Alone(), 1, 16))
    assert [updates for updates in range(5) if keeper.is_due(updates)] == [2, 4]


def test_checkpoints_are_due_after_seconds(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(keeper_module.time, "monotonic", lambda: clock.now)
    settings = Settings(
        environment=Synthetic(),
        algorithm=A2C(),
        schedule=HTS,
        fingerprints=False,
        checkpoint_every_sec=300.0,
    )
    keeper = Keeper(settings, Workdir(tmp_path), 0, Alone(), share(Alone(), 1, 16))
    keeper.claim("", {})
    keeper.begin(SimpleNamespace(updates=0), 16)
    for _ in range(2):
        clock.now += 299.0
        assert not keeper.is_due(1)
        clock.now += 1.0
        assert keeper.is_due(1)
        keeper.save(1, keeper.state())
        assert not keeper.is_due(1)
    keeper.close()
