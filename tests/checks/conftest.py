"""The toy topic, loaded by its path, and switches that the tests of the framework share."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy():
    path = Path(__file__).with_name("toy_topic.py")
    spec = importlib.util.spec_from_file_location("toy_topic", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def failure(toy):
    """The CheckFailed that the toy check raises for an answer."""
    from course_utils.checks import CheckFailed

    def fail(answer, test=None):
        with pytest.raises(CheckFailed) as caught:
            (test or toy.test_scale_rows)(answer)
        return caught.value

    return fail
