from hts_tf import presets


def test_names_are_those_of_the_files():
    assert "hts_ppo" in presets.names("methods")
    assert {"synthetic", "academy_empty_goal_close"} <= set(presets.names("scenarios"))
    assert presets.names("nonsense") == []


def test_files_come_with_what_they_include(tmp_path):
    (tmp_path / "base.gin").write_text("PPO.epochs = 2\n")
    (tmp_path / "mine.gin").write_text(f"include '{tmp_path}/base.gin'\nPPO.clip = 0.1\n")
    assert presets.with_includes(f"{tmp_path}/mine.gin") == "PPO.epochs = 2\n\nPPO.clip = 0.1\n"
