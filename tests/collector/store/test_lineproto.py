from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.store import influxql, victoria
from collector.store.lineproto import decoded, encoded, form, lines
from collector.store.model import Selector
from tests.collector.store.labs import key


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_encoded_text_is_safe_and_comes_back(text: str) -> None:
    assert decoded(encoded(text)) == text
    assert not set(encoded(text)) & set('\n\r\0"\\')


def test_what_is_not_hostile_is_written_as_it_is() -> None:
    for text in ("Gi0/1", "Xã Bằng Thành", "100 %", "/var/log", "a=b,c"):
        assert encoded(text) == text


def test_the_fields_of_one_moment_share_a_line_and_are_floats() -> None:
    forms = {
        1: form(key("bk", "rtt", label="wan 1"), name_check=False),
        2: form(key("bk", "loss", label="wan 1"), name_check=False),
        3: form(key("bk", "rtt", label="", instance="a,b=c"), name_check=True),
    }
    made = lines([(1, 5, 0.5), (2, 5, 0), (3, 5, 1e22), (1, 6, 2.0), (1, 5, 0.75)], forms)
    assert [line.text for line in made] == [
        r"wan,node=bk,target=wan\ 1 rtt=0.75,loss=0.0 5",
        r"wan,check=wan,node=bk,instance=a\,b\=c rtt=1e+22 5",
        r"wan,node=bk,target=wan\ 1 rtt=2.0 6",
    ]
    assert made[0].points == ((1, 5, 0.75), (2, 5, 0))


def test_a_query_binds_hostile_text_as_text() -> None:
    selector = Selector(node="n' OR 'a'='a", check='c"; DROP', metric="m", label="")
    assert influxql.select(selector, 1, 9, 5) == (
        """SELECT "m" FROM "c%22; DROP" WHERE time >= 1ms AND time < 9ms"""
        r""" AND "node" = 'n\' OR \'a\'=\'a' AND "target" = '' GROUP BY * ORDER BY time DESC LIMIT 5"""
    )
    assert victoria.matcher(Selector(node='"} or {x="', metric="m")) == '{check!="",node="%22} or {x=%22"}'
    assert victoria.matcher(Selector(check="c", metric="m")) == '{check="c",__name__="c_m"}'
