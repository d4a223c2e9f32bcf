import subprocess
import sys

PROGRAM = """
import sys
import hts_tf.system.quiet_tensorflow
import keras, tensorflow
assert not {"matplotlib", "pandas", "cv2"} & set(sys.modules), "imported for nothing"
import matplotlib.pyplot, cv2
print(keras.__name__, matplotlib.__name__, cv2.__name__)
"""


def test_what_keras_need_not_import_can_be_imported_later():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("keras matplotlib cv2\n", "")
