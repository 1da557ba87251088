#!/usr/bin/env python3
"""usage: krgghost_test.py KRGGHOST GHOST_SAMPLE

Goal    krgghost lists what is in an archive, and says of a damaged one where the damage is.
Method  the sample archive: whole, cut off, with a byte changed, with bytes behind it; no archive.
"""

import json
import os
import subprocess
import sys
import tempfile


def main():
    command, sample = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="krg-ghost-") as folder:
        path = os.path.join(folder, "task")
        subprocess.run([sample, path], check=True, timeout=10)

        def show(*words):
            return subprocess.run([command, "show", *words, path], capture_output=True, text=True,
                                  timeout=10)

        whole = show("--json")
        assert whole.returncode == 0, whole
        seen = json.loads(whole.stdout)
        assert seen["kind"] == "checkpoint" and seen["producer"] == "krg test", seen
        assert seen["whole"] is True, seen
        names = [section["name"] for section in seen["sections"]]
        assert names == ["registers", "colour", "memory"], names
        memory = seen["sections"][2]
        assert memory["holds"] == "memory" and memory["packing"] == "zstd", memory
        assert memory["bytes"] == 400 and memory["holes"] == 0x5000, memory
        assert memory["parts"] == 3 and memory["required"] is True, memory
        assert seen["sections"][1]["required"] is False, seen
        text = show()
        assert text.returncode == 0 and text.stdout.startswith("checkpoint written by krg test\n")

        with open(path, "rb") as file:
            good = file.read()

        def damaged(content, *words):
            with open(path, "wb") as file:
                file.write(content)
            result = show(*words)
            assert result.returncode == 1, result
            assert result.stderr.startswith("krgghost: " + path), result
            return result

        cut = damaged(good[:-1], "--json")
        assert "cut off" in cut.stderr and "at byte" in cut.stderr, cut.stderr
        assert json.loads(cut.stdout)["whole"] is False
        assert len(json.loads(cut.stdout)["sections"]) == 3, "what is sound is shown"
        changed = bytearray(good)
        changed[-40] ^= 1
        assert "damaged" in damaged(bytes(changed)).stderr
        assert "follow the end" in damaged(good + b"x").stderr
        assert "no archive" in damaged(b"something else altogether, of some length").stderr
        os.unlink(path)
        assert show().returncode == 1
    for words in ([], ["show"], ["show", "a", "b"], ["look", "a"]):
        wrong = subprocess.run([command, *words], capture_output=True, text=True, timeout=10)
        assert wrong.returncode == 2, wrong
    return 0


if __name__ == "__main__":
    sys.exit(main())
