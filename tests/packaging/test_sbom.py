"""The bill of materials says what the lock says."""

import json
import re

from wardround.settings import PROJECT


def test_the_sbom_lists_the_lock_and_nothing_else() -> None:
    bom = json.loads((PROJECT / "sbom.cdx.json").read_bytes())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    lock = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock, re.M))
    assert len(pinned) > 100
    listed = [(one["name"], one["version"]) for one in bom["components"]]
    assert set(listed) == pinned, "the locks changed; run `make locks`"
    assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in bom["components"])
