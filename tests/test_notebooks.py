"""The notebooks of the documentation, from their first cell to the last."""

from importlib.util import find_spec

import pytest

from tests import command_line

# Among bindings, after the name of `Trainer.total_env_steps`; see `command_line.SMALL_FOOTBALL`.
SMALL = """512,
    "Trainer.num_envs": 4,
    "Trainer.sync_interval": 16,
    "Trainer.num_executors": 1,
    "nature_cnn.convolutions": ((8, 8, 4), (16, 4, 2), (16, 3, 1)),
    "nature_cnn.dense": 32"""
NOTEBOOKS = sorted((command_line.ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("nbclient") is None, reason="the extra 'docs' is not installed")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, tmp_path, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", str(command_line.ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells), "kept without outputs, which would age"
    for cell in cells:  # to run it takes no long training, nor a large network
        for shown, run in {"8_192": SMALL, "20_000": "2_048", "episodes=10": "episodes=3"}.items():
            cell.source = cell.source.replace(shown, run)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}}).execute()
    said = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert "error" not in said
    pictures = [output for cell in cells for output in cell.outputs if "data" in output]
    assert any({"image/png", "image/gif"} & {*output.data} for output in pictures)
