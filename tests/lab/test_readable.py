"""What the practice shows of an answer."""

import json

from lab.readable import LINES, in_words, readable


def test_a_list_of_objects_is_a_table() -> None:
    shown = readable('[{"productId":"CATALOG-001","stock":100},{"productId":"CATALOG-002","stock":7}]')

    assert shown == ["productId    stock", "CATALOG-001  100", "CATALOG-002  7"]


def test_an_object_is_a_line_if_it_fits_and_else_a_field_a_line() -> None:
    assert readable('{"status":"PENDING","qty":1}') == ["status PENDING, qty 1"]
    assert readable(json.dumps({"message": "m" * 150, "qty": 1})) == [f"message  {'m' * 150}", "qty      1"]


def test_a_connect_record_is_its_schema_and_its_payload() -> None:
    fields = [{"type": "int32", "optional": False, "field": "id"}, {"type": "string", "field": "name"}]
    record = {"schema": {"type": "struct", "fields": fields}, "payload": {"id": 1, "name": "Ada"}}

    assert readable(json.dumps(record)) == ["schema   id int32, name string", "payload  id 1, name Ada"]


def test_what_is_no_json_is_shown_line_by_line_and_not_all_of_it() -> None:
    shown = readable("\n".join(f"line {number}" for number in range(LINES + 3)))

    assert shown[0] == "line 0"
    assert shown[-1] == "… 3 lines more"
    assert len(shown) == LINES + 1


def test_rows_are_told_without_brackets() -> None:
    assert in_words([["1", "kim", "Ada"], ["2", "kim", "Grace"]]) == "1, kim, Ada; 2, kim, Grace"
    assert in_words([["1"]] * 5) == "5 rows"
    assert in_words([]) == "nothing"
    assert in_words({"id": 1, "name": "Ada"}) == "id 1, name Ada"
