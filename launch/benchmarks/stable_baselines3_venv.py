"""A virtual environment for torch and Stable-Baselines3, which are never installed beside hts_tf.

It is in ~/.cache/hts_tf (5 GB, as PyPI's torch brings CUDA), and also sees what is installed in the
one that runs this.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

_VENV = (
    Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hts_tf/stable_baselines3"
)
_HERE = Path(__file__).resolve()

# What was measured; only these are what it can be repeated with.
_REQUIREMENTS = ("torch==2.13.0", "stable-baselines3==2.9.0")

# For all who import hts_tf and what lies here.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join(map(str, (_HERE.parents[2], _HERE.parent))),
}


def set_up() -> str:
    """Makes the virtual environment, unless it is complete; returns its interpreter."""
    python, stamp = str(_VENV / "bin/python"), _VENV / "complete"
    site_packages = sysconfig.get_path("purelib")
    whole = "\n".join([site_packages, *_REQUIREMENTS])
    if not stamp.exists() or stamp.read_text() != whole:
        subprocess.run([sys.executable, "-m", "venv", "--clear", _VENV], check=True)
        [own] = _VENV.glob("lib/python*/site-packages")
        # But not TensorFlow: TensorBoard would import it, and torch's Triton crashes beside it.
        hide = "import sys; sys.modules['tensorflow'] = None"
        (own / "hts_tf_venv.pth").write_text(f"{site_packages}\n{hide}\n")
        subprocess.run([python, "-m", "pip", "install", *_REQUIREMENTS], check=True)
        stamp.write_text(whole)
    return python
