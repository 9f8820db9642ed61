"""A question to Kafka is asked again while a client still asks a broker that was just killed."""

from collections.abc import Iterator

import pytest
from kafka.errors import KafkaConnectionError

from rig.history import until_answered


def test_a_question_is_asked_again_until_kafka_answers() -> None:
    refused = KafkaConnectionError("refused")
    answers: Iterator[str | KafkaConnectionError] = iter([refused, refused, "topics"])

    def question() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert until_answered(question) == "topics"


def test_a_question_that_is_never_answered_ends_with_kafkas_error() -> None:
    def question() -> str:
        raise KafkaConnectionError("refused")

    with pytest.raises(KafkaConnectionError, match="refused"):
        until_answered(question, seconds=0.3)
