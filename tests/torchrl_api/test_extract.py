"""Reading one module: bindings, signatures and what becomes of `**kwargs`."""

import textwrap

from ppolint.torchrl_api.extract import extract_module


def extract(source):
    return extract_module(textwrap.dedent(source))


def keyword_use(body):
    return extract(f"def f(a, **kw):\n{textwrap.indent(textwrap.dedent(body), '    ')}")["def"][
        "f"
    ][1]


def test_the_first_import_of_a_fallback_pair_is_the_binding():
    module = extract("""
        try:
            from a import thing
        except ImportError:
            thing = None
    """)
    assert module["bind"]["thing"] == ["from", 0, "a", "thing"]


def test_the_last_definition_of_a_name_is_the_binding():
    module = extract("def f(a): ...\ndef f(a, b): ...")
    assert module["def"]["f"] == "a, b"


def test_names_for_type_checkers_only_are_left_out():
    assert extract("if TYPE_CHECKING:\n    from a import b")["bind"] == {}


def test_overloads_do_not_count():
    module = extract("@overload\ndef f(a): ...\ndef f(a, b): ...\n")
    assert module["def"]["f"] == "a, b"


def test_annotations_are_dropped_and_defaults_kept():
    module = extract("def f(a: int, /, b: str = 'x', *c, d=nn.Tanh, **e): return a")
    assert module["def"]["f"] == ["a, /, b='x', *c, d=nn.Tanh, **e", {}]


def test_unused_keywords_are_swallowed():
    assert keyword_use("return a") == {}


def test_a_key_that_raises():
    assert keyword_use('if "old" in kw:\n    raise TypeError("gone")')["bad"] == ["old"]


def test_left_over_keywords_that_raise():
    use = keyword_use("known = kw.pop('x', 1)\nif kw:\n    raise TypeError(kw)")
    assert use == {"take": ["x"], "reject": True}


def test_a_check_of_one_value_is_not_a_check_of_left_overs():
    use = keyword_use("if 'm' not in kw.get('x', {}):\n    raise KeyError\nreturn g(**kw)")
    assert "reject" not in use


def test_forwarding_to_the_base_class():
    module = extract("""
        class A(B):
            def __init__(self, x, **kw):
                super().__init__(x, y=1, **kw)
    """)
    assert module["class"]["A"]["methods"]["__init__"] == [
        "self, x, **kw",
        {"to": [["super", 1, ["y"]]]},
    ]


def test_a_class_that_only_raises_is_a_stub():
    module = extract("""
        class Old:
            '''Gone.'''
            def __init__(self, *args):
                raise RuntimeError("use New")
    """)
    assert module["class"]["Old"]["stub"] is True


def test_class_variables_are_no_fields_of_a_data_class():
    module = extract("class A:\n    x: ClassVar[int] = 1\n    y: int = 2\n")
    assert module["class"]["A"]["fields"] == [["x", "1", False], ["y", "2", True]]
