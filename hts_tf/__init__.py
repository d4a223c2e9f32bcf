"""hts_tf: High-Throughput Synchronous Deep RL in TensorFlow.

The package itself imports nothing, so that executor processes, which import
parts of it, never load TensorFlow.
"""

__version__ = "0.1.0"
