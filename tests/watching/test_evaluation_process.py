import json
from types import SimpleNamespace

from hts_tf.files.evaluations import Evaluations
from hts_tf.watching.evaluation_process import EvaluationProcess


def test_one_that_ends_before_its_first_update_is_evaluated_once(tmp_path, monkeypatch):
    """As one that begins with a policy which is good enough already."""
    added = []
    monkeypatch.setattr(Evaluations, "add", lambda _, __, updates, ___: added.append(updates))
    monkeypatch.setattr(EvaluationProcess, "ended", lambda _: [])
    process = EvaluationProcess(tmp_path, SimpleNamespace(evaluate_every_updates=5))
    process.begin(updates=0)
    process.round_over(None, updates=0, env_steps=512, is_last=False)
    assert added == []
    for _ in range(2):
        process.round_over(None, updates=0, env_steps=512, is_last=True)
        assert added == [0]


def test_a_table_that_somebody_has_changed_ends_no_run(tmp_path, capfd):
    settings = SimpleNamespace(evaluate_every_updates=1, step_timeout_sec=None, crash_limit=1)
    process = EvaluationProcess(tmp_path, settings)
    process._asked = tmp_path / "checkpoints" / "to_evaluate" / "000000001.ckpt"
    (tmp_path / "evaluations.csv").write_text("updates;env_steps\n")
    process._heard.put(json.dumps([1, 16, 20, 0.5, 0.5, 9.0]))
    assert process.ended() == []
    assert "is damaged" in capfd.readouterr().err
    assert process.is_idle
