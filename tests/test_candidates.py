import pytest

from hts_tf import candidates, errors
from hts_tf.candidates import Candidate

SELF_PLAY = ["Football.right_players = 1"]
AGAINST_OTHERS = [
    *SELF_PLAY,
    "Trainer.opponents = @Opponents()",
    "Opponents.scripted = (@Always,)",
    "Opponents.self_play = 0.0",
]


def check(*bindings, **how):
    candidate = Candidate("academy_empty_goal_close", "hts_ppo_fast", (), bindings, **how)
    return candidates.check(candidate)


@pytest.mark.slow
def test_what_the_environment_chooses_is_known(clean_gin):
    kinds = [[f"Football.representation = {kind!r}"] for kind in ("extracted", "relative")]
    pixels, floats = check(drawn=kinds)
    head = "ActorCritic.head = @Categorical"
    assert pixels.chosen == ["ActorCritic.torso = @nature_cnn", head]
    assert floats.chosen == ["ActorCritic.torso = @mlp", head]
    [bound] = check("ActorCritic.torso = @mlp")
    assert bound.chosen == [head]


@pytest.mark.slow
def test_whose_policy_it_begins_with_or_plays_is_looked_at(clean_gin):
    model = "'academy_run_to_score'"
    met = [*AGAINST_OTHERS, "Opponents.frozen = ('academy_corner',)"]
    assert check(f"Trainer.start_from = {model}") == check()
    assert check(*met) == check()
    for bindings in ([f"Trainer.start_from = {model}"], met):
        with pytest.raises(errors.ConfigError, match="is of another network: "):
            check(*bindings, "mlp.units = (8,)")
    with pytest.raises(errors.ConfigError, match="nowhere holds no run"):
        check(drawn=[[], ["Trainer.start_from = 'nowhere'"]])


@pytest.mark.slow
def test_those_who_play_against_themselves_have_no_score_to_go_by(clean_gin):
    assert check(*SELF_PLAY) == check()
    assert check(needs_score=True) == check()
    alone = [*AGAINST_OTHERS, "Opponents.snapshot_every_updates = None"]
    assert check(*alone, needs_score=True) == check()
    for bindings in (SELF_PLAY, AGAINST_OTHERS):
        with pytest.raises(errors.ConfigError, match="has no score to go by"):
            check(*bindings, needs_score=True)
