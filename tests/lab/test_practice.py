"""The course's practice, from Kafka's tools to one table behind a sink."""

import io
from pathlib import Path

import pytest

from lab import Lab, Ports
from lab.practice import STEPS, practice


@pytest.mark.real
@pytest.mark.timeout(300)
def test_every_step_of_the_practice_shows_what_a_learner_should_see(lab: Lab, tmp_path: Path) -> None:
    del lab  # It says whether a lab can run here; the practice leaves rows behind, so it has one of its own.
    out = io.StringIO()

    with Lab(tmp_path, Ports.free(), connect=True) as own:
        walked = practice(own, out=out)

    assert walked, out.getvalue()
    assert out.getvalue().count("\n✔") == len(STEPS)
