"""What TensorBoard shows of a run."""

from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import summary_v2 as scalar_summary
from tensorboard.plugins.text import summary_v2 as text_summary
from tensorboard.util import tensor_util

from hts_tf.files import event_file


class TensorBoard(event_file.EventFile):
    """Writes an event file; the step axis is env steps."""

    def scalars(self, env_steps: int, values: dict[str, float]) -> None:
        """Writes scalars by name; whoever follows the file sees them at once."""
        summary = summary_pb2.Summary()
        for name, value in values.items():
            summary.MergeFrom(scalar_summary.scalar_pb(name, value))
        self.add(env_steps, summary)

    def text(self, name: str, text: str) -> None:
        """Writes a text, shown verbatim."""
        indented = "\n".join("    " + line for line in text.splitlines())
        self.add(0, text_summary.text_pb(name, indented))

    def animation(self, env_steps: int, name: str, gif: bytes, size: tuple[int, int]) -> None:
        """Writes a GIF of a (width, height), which TensorBoard shows among the images, moving."""
        # The images' own summary would encode still PNGs; their plugin passes on any format.
        content = tensor_util.make_tensor_proto([*(str(pixels).encode() for pixels in size), gif])
        metadata = image_metadata.create_summary_metadata(display_name=None, description=None)
        summary = summary_pb2.Summary()
        summary.value.add(tag=name, tensor=content, metadata=metadata)
        self.add(env_steps, summary)
