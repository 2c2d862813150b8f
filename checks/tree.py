"""For the checks that change the program: a copy of the tree to change, and quick builds in it."""

import os
import shutil
import subprocess


def copy_tree(root, copy):
    """Copies the files that git knows or would take, if they differ, so that cargo builds no more than it has to."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, check=True, capture_output=True)
    for name in listed.stdout.decode().split("\0"):
        source, target = root / name, copy / name
        if name and source.is_file() and not (target.is_file() and source.read_bytes() == target.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def environment(copy):
    """The environment of a quick build, in a target folder of the copy unless another one was chosen."""
    return {
        "CARGO_PROFILE_TEST_OPT_LEVEL": "1",
        "CARGO_PROFILE_TEST_DEBUG": "0",
        "CARGO_INCREMENTAL": "1",
        "CARGO_TARGET_DIR": str(copy / "target"),
        "CARGO_TERM_COLOR": "never",
        **{key: value for key, value in os.environ.items() if key != "RUSTFLAGS"},
        # Warnings about code that a change leaves unused do not matter.
        "RUSTFLAGS": "--cap-lints=allow",
    }
