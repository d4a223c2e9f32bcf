from hts_tf.examining import machine


def test_processor(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "model name\t: Fast\nflags\t: fpu avx2 fma\n\nmodel name\t: Slow\nflags\t:\n"
    )
    assert machine.processor(cpuinfo).detail.startswith("Fast, ")
    assert machine.processor(cpuinfo).detail.endswith("avx2 fma")


def test_too_little_memory_is_a_problem(monkeypatch):
    monkeypatch.setattr(machine, "memory_available_bytes", lambda: machine.RUN_BYTES)
    assert not machine.memory().is_problem
    monkeypatch.setattr(machine, "memory_available_bytes", lambda: machine.RUN_BYTES - 1)
    assert "Trainer.num_envs" in machine.memory().advice
