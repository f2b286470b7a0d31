"""What does the course do where TransformerLens is not installed?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import course_utils
from course_utils.errors import CourseError
from course_utils.interop import from_transformer_lens, to_transformer_lens
from course_utils.models import Transformer, TransformerConfig


def test_a_missing_transformer_lens_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformer_lens", None)  # what `import` finds is then "not there"
    model = Transformer(TransformerConfig(d_vocab=5, n_ctx=3, d_model=4, n_heads=1, d_head=4))
    for convert in (to_transformer_lens, from_transformer_lens):
        with pytest.raises(CourseError, match=r"TransformerLens 4\.3 or newer.*pip install"):
            convert(model)


def test_importing_the_module_does_not_import_transformer_lens() -> None:
    code = "import sys, course_utils.interop; sys.exit('transformer_lens' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_no_other_module_imports_transformer_lens() -> None:
    package = Path(course_utils.__file__).parent
    importers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(
            line.lstrip().startswith(("import transformer_lens", "from transformer_lens"))
            for line in path.read_text(encoding="utf-8").splitlines()
        )
    ]
    assert importers == ["interop.py"]
