import sys

from hts_tf.examining import distribution, engine_build


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_boost_python(tmp_path):
    name = f"libboost_python3{sys.version_info.minor}.so"
    assert "libboost-python-dev" in distribution.boost_python(tmp_path).command
    (tmp_path / "lib/some-linux-gnu").mkdir(parents=True)
    (tmp_path / "lib/some-linux-gnu" / name).touch()
    assert distribution.boost_python(tmp_path).command is None


def test_debian_packages(tmp_path, monkeypatch):
    wanted = engine_build.build_settings()["DEBIAN_PACKAGES"].split()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    script(tmp_path / "dpkg-query", "printf '%s installed\\n' " + " ".join(wanted))
    assert distribution.debian_packages().command is None
    script(tmp_path / "dpkg-query", "printf '%s installed\\n' " + " ".join(wanted[2:]))
    assert distribution.debian_packages().command.endswith(f" {wanted[0]} {wanted[1]}")
    script(tmp_path / "dpkg-query", f"echo {wanted[0]} config-files")
    assert f" {wanted[0]} " in distribution.debian_packages().command


def test_not_a_debian_system(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = distribution.debian_packages()
    assert "not a Debian" in finding.detail
    assert finding.is_problem and not finding.command
