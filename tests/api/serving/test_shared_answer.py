"""A question that many ask at once is asked once, and one that hangs is not asked again."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orders_service.api.serving import shared_answer
from orders_service.api.serving.shared_answer import SharedAnswer
from rig.waiting import await_true


class Question:
    """A question that is answered when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = threading.Event()

    def __call__(self) -> str:
        self.asked += 1
        self.go.wait(30)
        return f"answer {self.asked}"


def test_all_who_ask_at_once_share_one_answer() -> None:
    question = Question()
    asked = SharedAnswer(question, late=lambda: "late", patience=30)

    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(asked.answer) for _ in range(50)]
        await_true(lambda: question.asked == 1, "it is asked")
        question.go.set()

    assert {future.result() for future in answers} == {"answer 1"}


def test_an_answer_is_asked_for_again_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_answer, "FRESH_SECONDS", 0.0)
    question = Question()
    question.go.set()
    asked = SharedAnswer(question, late=lambda: "late", patience=30)

    answers = [asked.answer(), asked.answer()]

    assert answers == ["answer 1", "answer 2"]


def test_a_question_that_hangs_is_not_asked_again() -> None:
    question = Question()
    asked = SharedAnswer(question, late=lambda: "late", patience=0)

    answers = [asked.answer() for _ in range(100)]

    assert set(answers) == {"late"}
    assert question.asked == 1
    question.go.set()
    await_true(lambda: asked.answer() != "late", "the late answer has come")


def test_a_question_that_fails_is_late_and_asked_again() -> None:
    def fails() -> str:
        asked.append(1)
        raise ZeroDivisionError

    asked: list[int] = []
    question = SharedAnswer(fails, late=lambda: "late", patience=30)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        answers = [question.answer(), question.answer()]

    assert answers == ["late", "late"]
    assert len(asked) == 2


def test_a_forgotten_answer_is_asked_for_again() -> None:
    numbers = iter(range(9))
    asked = SharedAnswer(lambda: next(numbers), late=lambda: -1, patience=30, fresh=3600)
    first, kept = asked.answer(), asked.answer()

    asked.forget()

    assert (first, kept, asked.answer()) == (0, 0, 1)
