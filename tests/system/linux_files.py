"""Files by which Linux tells of the machine, made up below another root."""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
