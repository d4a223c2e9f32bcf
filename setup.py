"""Packaging of hts_tf: the tool settings are in pyproject.toml, the rest is here."""

import ast
import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "hts_tf/__init__.py").read_text()).group(1)
README = ROOT / "README.md"

# The list is read, not imported: its module needs the packages below.
COMMANDS = ast.literal_eval(
    re.search(r"^COMMANDS = (\(.+?\))$", (ROOT / "hts_tf/commands.py").read_text(), re.M | re.S)[1]
)
CONSOLE_SCRIPTS = [
    "hts = hts_tf.commands:main",
    *(f"hts-{name.replace('_', '-')} = hts_tf.commands:run_console_command" for name in COMMANDS),
]

# Ranges that work together.  Their lower ends are what Python 3.10 still gets; on 3.11 and later
# pip takes the newest inside them.
REQUIREMENTS = [
    "tensorflow>=2.21,<2.22",
    "keras>=3.12,<3.16",
    "tensorflow-probability>=0.25,<0.26",
    "tf-keras>=2.21,<2.22",  # TensorFlow Probability imports it
    "tensorboard>=2.20,<2.22",  # TensorFlow no longer brings it
    "gin-config>=0.5,<0.6",
    "pydantic>=2.8,<3",
    "annotated-types>=0.6,<1",
    "absl-py>=2.1,<3",
    "numpy>=2.0,<2.5",
    "packaging>=23",
    "pillow>=10.1",  # TensorBoard brings it, but not this new
    "rich>=13",  # Keras brings it
]

GYMNASIUM = ["gymnasium>=1.3,<1.5", "pygame>=2.1.3"]

REPORT = [
    "matplotlib>=3.8,<4",
    "jinja2>=3.1,<4",
    "rliable>=1.2,<2",
    "scipy>=1.11,<2",
    "pandas>=2.2,<3",  # arch, which rliable needs, does not import with pandas 3
]

EXTRAS = {
    # gfootball's wrappers speak the gym API from before 0.26.  It has no binary on PyPI, and its
    # build wants psutil and the engine's libraries: launch/setup.sh sees to all of that.
    "football": ["gfootball==2.10.2", "gym==0.25.2", "psutil>=5.9"],
    # Pygame draws classic control and toy text, OpenCV scales Atari's frames. By the names that
    # gfootball knows them: pygame-ce or opencv-python-headless would overwrite their files.
    "gymnasium": [*GYMNASIUM],
    "atari": [*GYMNASIUM, "ale-py>=0.12,<0.13", "opencv-python>=4.8"],
    "mujoco": [*GYMNASIUM, "gymnasium[mujoco]"],
    "box2d": [*GYMNASIUM, "box2d>=2.3.10"],  # gymnasium[box2d] brings pygame-ce
    # Without its games, which ask for pygame-ce, whose files are pygame's.
    "pettingzoo": [*GYMNASIUM, "pettingzoo>=1.26,<1.28"],
    "cluster": ["ray>=2.58,<2.61"],  # Core is all that is needed: machines that make one run
    "onnx": ["tf2onnx>=1.17,<2", "onnx>=1.17,<2", "onnxruntime>=1.20,<2"],
    "docs": [
        "mkdocs>=1.6,<2",
        "mkdocs-material>=9.5,<10",
        "mkdocstrings[python]>=0.26,<2",
        "nbclient>=0.10,<1",  # executes the notebooks
        "ipykernel>=6.29",
    ],
    "plot": ["matplotlib>=3.8,<4"],
    "report": [*REPORT],
    "sweep": ["optuna>=4.5,<6", *REPORT],
    # MLflow keeps what is not sent to a server in an SQLite database.
    "trackers": ["wandb>=0.19,<1", "mlflow-skinny>=3,<4", "sqlalchemy>=2,<3", "alembic>=1.13,<2"],
    "video": ["imageio-ffmpeg>=0.5"],  # for mp4: a whole ffmpeg, with H.264
    "test": ["pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.100", "pyte>=0.8,<0.9", "ruff>=0.9"],
}

setup(
    name="hts_tf",
    version=VERSION,
    description="High-Throughput Synchronous Deep RL in TensorFlow, on Google Research Football",
    long_description=README.read_text() if README.exists() else "",
    long_description_content_type="text/markdown",
    python_requires=">=3.10",
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    # A Gymnasium before 1.0 finds the scenarios by itself; later ones have no plugins any more.
    entry_points={
        "console_scripts": CONSOLE_SCRIPTS,
        "gymnasium.envs": ["hts_tf = hts_tf.football:register_scenarios"],
        "tensorboard_plugins": ["hts_tf_episodes = hts_tf.dashboard.plugin:EpisodesPlugin"],
    },
    # Gin files and models stand at the top of the repository, where people look for them, and are
    # installed inside the package.
    packages=[
        *find_packages(include=["hts_tf", "hts_tf.*"]),
        "hts_tf.gin_configs",
        "hts_tf.models",
    ],
    package_dir={"hts_tf.gin_configs": "gin_configs", "hts_tf.models": "models"},
    package_data={
        "hts_tf.environments.football": ["*.env", "*.patch"],
        "hts_tf.networks": ["*.cc"],
        "hts_tf.report": ["*.html", "*.csv"],
        "hts_tf.dashboard": ["*.js"],
        "hts_tf.gin_configs": ["*.gin", "*/*.gin"],
        "hts_tf.models": ["*/config.gin", "*/episodes.*", "*/checkpoints/*"],
    },
    classifiers=[
        "Programming Language :: Python :: 3",
        "Operating System :: POSIX :: Linux",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
