"""The pure tensor operations in all their spellings: functions, methods, operators.

`function(values, dotted, args, keywords)` and `method(values, name, receiver, args, keywords)`
return the normal form of a call, or None where the call is not known to be pure; the evaluator then
makes an opaque call of it. Each handler takes (values, args, keywords) with the tensor first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from ppolint.semantics.normal_form import Values
from ppolint.semantics.values import Value

Keywords = dict[str, Value]
Handler = Callable[[Values, Sequence[Value], Keywords], "Value | None"]

NAMESPACES = (
    "torch.nn.functional.",
    "torch.special.",
    "torch.linalg.",
    "torch.Tensor.",
    "torch.",
    "numpy.",
    "math.",
    "operator.",
    "builtins.",
    "tensordict.",
)

# Changes of shape, dtype, device or container: the numbers stay.
WRAP_METHODS = frozenset(
    "to float double half bfloat16 int long bool cpu cuda numpy detach detach_ clone contiguous "
    "squeeze squeeze_ unsqueeze unsqueeze_ view reshape flatten ravel expand expand_as view_as "
    "reshape_as type type_as item tolist requires_grad_ permute transpose swapaxes movedim t "
    "repeat repeat_interleave tile astype copy pin_memory nan_to_num nan_to_num_ refine_names "
    "swapdims unflatten broadcast_to atleast_1d atleast_2d as_subclass resolve_conj".split()
)
_RESHAPES = frozenset("view reshape expand repeat permute tile unflatten".split())
WRAP_FUNCTIONS = frozenset(
    "tensor as_tensor from_numpy FloatTensor DoubleTensor LongTensor BoolTensor Tensor array "
    "asarray ascontiguousarray squeeze unsqueeze reshape flatten ravel transpose permute movedim "
    "swapaxes broadcast_to expand_dims clone detach float32 float64 float int list tuple asfarray "
    "atleast_1d atleast_2d nan_to_num t repeat tile repeat_interleave item copy".split()
)
WRAP_DOTTED = frozenset({"torch.autograd.Variable", "copy.copy", "copy.deepcopy"})
NOT_WRAPS = frozenset({"builtins.copy", "builtins.repeat", "builtins.tile", "builtins.t"})
REDUCTIONS = frozenset(
    "sum mean std var prod median amin amax norm nanmean nansum logsumexp cumsum cumprod all any "
    "argmax argmin".split()
)
UNARY_FN = frozenset(
    "sigmoid logsigmoid tanh softplus softmax log_softmax sign sin cos tan atan arctan isnan "
    "isfinite isinf round floor ceil logit erf erfinv gelu elu silu leaky_relu floor_ ceil_ "
    "log1p expm1 log2 log10 exp2 rsqrt zeros_like empty_like "
    "gather index_select masked_select take_along_dim roll "
    "mse_loss smooth_l1_loss huber_loss l1_loss cross_entropy nll_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits kl_div one_hot triu tril outer dot matmul mm bmm einsum "
    "logical_not logical_and logical_or isclose diff".split()
)
COMPARISONS = {
    "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!=",
    "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=",
}  # fmt: skip


def function(v: Values, dotted: str, args: Sequence[Value], kw: Keywords) -> Value | None:
    """The normal form of a call of the imported function or builtin `dotted`, or None."""
    if dotted in WRAP_DOTTED:
        return v.make("wrap", (args[0],), dotted.rpartition(".")[2]) if args else None
    prefix, name = _in_namespace(dotted)
    if not prefix:
        return _scipy(v, dotted, args, kw)
    if "." in name:
        return None
    if not args:
        args, kw = _lift_first(args, kw)
        if not args:
            return None
    if prefix == "builtins.":
        special = _BUILTINS.get(name)
        if special is not None:
            return special(v, args, kw)
        if name not in ("float", "int", "list", "tuple"):
            return None
    if prefix == "torch." and name.endswith("_"):
        name = name.rstrip("_")  # torch.clamp_(x, lo, hi)
    handler = _FUNCTIONS.get(name)
    if handler is not None:
        return handler(v, args, kw)
    if name in _SIZED and (len(args) > 1 or _is_size(args[0])):
        return None
    if name in WRAP_FUNCTIONS and dotted not in NOT_WRAPS:
        return v.make("wrap", (args[0],), name)
    if name in ("stack", "cat", "concatenate", "concat", "vstack", "hstack", "dstack"):
        return v.make("fn", (args[0],), "stack" if name == "stack" else "cat")
    return _generic(v, name, args, kw)


@lru_cache(maxsize=2_000)
def _in_namespace(dotted: str) -> tuple[str, str]:
    """A name as namespace and rest; no namespace where it is none of those with functions."""
    for prefix in NAMESPACES:
        if dotted.startswith(prefix):
            return prefix, dotted[len(prefix) :]
    return "", dotted


def method(
    v: Values, name: str, receiver: Value, args: Sequence[Value], kw: Keywords
) -> Value | None:
    """The normal form of `receiver.name(*args, **kw)` if that is a pure tensor method, or None."""
    if name == "copy_" and args:
        return v.make("wrap", (args[0], receiver), name)
    if name in ("add_", "sub_") and len(args) == 2:  # as before PyTorch 1.5: a scale comes first
        change = v.mul(args[0], args[1])
        return v.add(receiver, change) if name == "add_" else v.sub(receiver, change)
    if name.endswith("_") and not name.startswith("_"):
        plain = name.rstrip("_")
        if plain in _METHODS or plain in _FUNCTIONS:
            name = plain
    if name in WRAP_METHODS:
        return v.make("wrap", (receiver, *args), name)
    handler = _METHODS.get(name)
    if handler is not None:
        return handler(v, (receiver, *args), kw)
    return _generic(v, name, (receiver, *args), kw)


def reshaped(v: Values, name: str, receiver: Value, args: Sequence[Value]) -> Value | None:
    """`receiver.name(*sizes)` if that only changes the shape, whatever the sizes are; or None."""
    return v.make("wrap", (receiver, *args), name) if name in _RESHAPES else None


# Constructors that copy their argument, or make an empty tensor of that size.
_SIZED = frozenset({"Tensor", "FloatTensor", "DoubleTensor", "LongTensor"})


def _is_size(value: Value) -> bool:
    core = value.core
    if isinstance(core.number, int) or (core.op == "fn" and core.data == "len"):
        return True
    if core.op == "item":
        core = core.args[0].core
    return core.op == "attr" and core.data in ("shape", "size")


def _lift_first(args: Sequence[Value], kw: Keywords) -> tuple[Sequence[Value], Keywords]:
    for first in ("input", "a", "x", "condition"):
        if first in kw:
            rest = {k: value for k, value in kw.items() if k != first}
            return (kw[first],), rest
    return args, kw


def _generic(v: Values, name: str, args: Sequence[Value], kw: Keywords) -> Value | None:
    if name in REDUCTIONS:
        return v.make("reduce", (args[0], *args[1:], *_dims(kw)), name)
    if name in UNARY_FN:
        return v.make("fn", (*args, *(kw[k] for k in sorted(kw))), name)
    if name in COMPARISONS and len(args) == 2:
        return v.make("cmp", tuple(args), COMPARISONS[name])
    return None


def _dims(kw: Keywords) -> tuple[Value, ...]:
    return tuple(kw[k] for k in ("dim", "axis") if k in kw)


def _get(args: Sequence[Value], kw: Keywords, at: int, *names: str) -> Value | None:
    if len(args) > at:
        return args[at]
    for name in names:
        if name in kw:
            return kw[name]
    return None


def _binary(make: Callable[[Values, Value, Value], Value]) -> Handler:
    def handler(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
        other = _get(args, kw, 1, "other", "exponent", "x2", "b")
        if other is None:
            return None
        scale = kw.get("alpha")
        if scale is not None:
            other = v.mul(scale, other)
        return make(v, args[0], other)

    return handler


def _unary(make: Callable[[Values, Value], Value]) -> Handler:
    return lambda v, args, kw: make(v, args[0])


# The modules of torch that `module` knows.
MODULES = frozenset({"torch.nn.Hardtanh"})


def module(
    v: Values, dotted: str, made: tuple[Sequence[Value], Keywords], x: Value
) -> Value | None:
    """The normal form of a module of torch, made with these arguments, applied to `x`."""
    if dotted in MODULES:
        return _hardtanh(v, (x, *made[0]), made[1])
    return None


def _hardtanh(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    lo = _get(args, kw, 1, "min_val") or v.const(-1)
    return v.clip(args[0], lo, _get(args, kw, 2, "max_val") or v.one)


def _clip(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    lo = _get(args, kw, 1, "min", "a_min", "low", "min_val")
    hi = _get(args, kw, 2, "max", "a_max", "high", "max_val")
    return v.clip(args[0], lo or v.none, hi or v.none)


def _clip_max(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    hi = _get(args, kw, 1, "max")
    return None if hi is None else v.extremum("min", args[0], hi)


def _clip_min(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    lo = _get(args, kw, 1, "min")
    return None if lo is None else v.extremum("max", args[0], lo)


def _full_like(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    """A computed number for every element; a fixed one makes an array that is filled later."""
    fill = _get(args, kw, 1, "fill_value")
    if fill is None or fill.number is not None:
        return v.make("fn", (args[0],) if fill is None else (args[0], fill), "full_like")
    return v.make("wrap", (fill, args[0]), "full_like")


def _append(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    """`np.append(x, new)`, the concatenation of two."""
    return v.make("fn", (v.make("tuple", tuple(args[:2])),), "cat") if len(args) >= 2 else None


def _extremum(op: str, reduces: bool) -> Handler:
    """`torch.min(a, b)` and friends; `torch.min(x, 1)` and `torch.min(x)` reduce instead."""

    def handler(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
        other = _get(args, kw, 1, "other", "x2")
        if other is not None and not (reduces and other.number is not None):
            result = v.extremum(op, _filled(args[0]), _filled(other))
            for further in args[2:]:
                result = v.extremum(op, result, _filled(further))
            return result
        parts = _stacked(v, args[0])
        if parts is not None and len(parts) >= 2:
            result = parts[0]
            for part in parts[1:]:
                result = v.extremum(op, result, part)
            return v.make("wrap", (result,), "extremum-over-stack")
        return v.make("reduce", (args[0], *args[1:], *_dims(kw)), op)

    return handler


def _filled(value: Value) -> Value:
    """The number that every element of a fresh array has, else the value itself."""
    core = value.core
    if core.op == "fn" and core.data == "full_like" and len(core.args) > 1:
        fill = core.args[1].core
        return value if fill.number is None else fill
    return value


def _stacked(v: Values, value: Value) -> tuple[Value, ...] | None:
    """The members of a stack that something is done with element by element."""
    parts = elements(value)
    core = value.core
    if parts is not None or core.op not in ("mul", "neg"):
        return parts
    if core.op == "neg":
        inner = _stacked(v, core.args[0])
        return None if inner is None else tuple(v.neg(p.core) for p in inner)
    stacks = [a for a in core.args if a.core.op == "fn" and elements(a) is not None]
    if len(stacks) != 1:
        return None
    rest = [a for a in core.args if a is not stacks[0]]
    return tuple(v.mul(*rest, part) for part in elements(stacks[0]) or ())


def elements(value: Value) -> tuple[Value, ...] | None:
    """The members of a literal list or tuple, also under `torch.stack` or `cat`."""
    core = value.core
    if core.op == "fn" and core.data in ("stack", "cat"):
        core = core.args[0].core
    if core.op == "tuple":
        return core.args
    if core.op == "alloc":
        return getattr(core.data, "items", None)
    return None


def _where(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    a = _get(args, kw, 1, "input", "self", "x")
    b = _get(args, kw, 2, "other", "y")
    return None if a is None or b is None else v.where(args[0], a, b)


def _where_method(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    if len(args) != 3:
        return None
    return v.where(args[1], args[0], args[2])


def _masked_fill(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    if len(args) != 3:
        return None
    return v.where(args[1], args[2], args[0])


def _masked_scatter(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    if len(args) != 3:
        return None
    return v.where(args[1], args[2], args[0])


def _addcmul(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    if len(args) != 3:
        return None
    product = v.mul(kw.get("value", v.one), args[1], args[2])
    start = args[0].core
    return product if start.op == "fn" and start.data == "zeros_like" else v.add(args[0], product)


def _addcdiv(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    if len(args) != 3:
        return None
    return v.add(args[0], v.mul(kw.get("value", v.one), v.div(args[1], args[2])))


def _lerp(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    if len(args) != 3:
        return None
    return v.add(args[0], v.mul(args[2], v.sub(args[1], args[0])))


def flip(v: Values, x: Value) -> Value:
    """`x` in reverse order; twice is `x` again."""
    if x.core.op == "fn" and x.core.data == "flip":
        return x.core.args[0]
    return v.make("fn", (x,), "flip")


def _flip(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    return flip(v, args[0])


def _sequence(name: str) -> Handler:
    return lambda v, args, kw: v.make("fn", tuple(args), name)


def _sorted(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    """`sorted((lo, x, hi))`, whose middle is a clip; a range, also from its end."""
    core = args[0].core
    if core.op == "fn" and core.data == "range" and set(kw) <= {"reverse"}:
        return flip(v, args[0]) if "reverse" in kw and kw["reverse"].data is True else args[0]
    parts = elements(args[0])
    return v.make("fn", tuple(parts), "sorted") if parts and len(parts) == 3 and not kw else None


def _sum_builtin(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    parts = elements(args[0])
    if parts and len(args) == 1:
        return v.add(*parts)
    return v.make("reduce", (args[0],), "sum")


def _lfilter(v: Values, args: Sequence[Value], kw: Keywords) -> Value | None:
    """`scipy.signal.lfilter([b], [1, -a], x)`: the recursion y[t] = b x[t] + a y[t-1]."""
    parts = [_get(args, kw, at, name) for at, name in enumerate("bax")]
    if parts[0] is None or parts[1] is None or parts[2] is None:
        return None
    b, a = elements(parts[0]), elements(parts[1])
    if b is None or a is None or len(b) != 1 or len(a) != 2 or a[0].number != 1:
        return None
    return v.make("fn", (v.neg(a[1].core), parts[2]), "scan")


def _scipy(v: Values, dotted: str, args: Sequence[Value], kw: Keywords) -> Value | None:
    if dotted.endswith("signal.lfilter"):
        return _lfilter(v, args, kw)
    return None


_ARITHMETIC: dict[str, Handler] = {
    "exp": _unary(Values.exp),
    "log": _unary(Values.log),
    "neg": _unary(Values.neg),
    "negative": _unary(Values.neg),
    "abs": _unary(lambda v, x: v.make("abs", (x,))),
    "absolute": _unary(lambda v, x: v.make("abs", (x,))),
    "fabs": _unary(lambda v, x: v.make("abs", (x,))),
    "sqrt": _unary(lambda v, x: v.make("sqrt", (x,))),
    "reciprocal": _unary(lambda v, x: v.div(v.one, x)),
    "square": _unary(lambda v, x: v.power(x, v.const(2))),
    "expm1": _unary(lambda v, x: v.add(v.exp(x), v.const(-1))),
    "relu": _unary(lambda v, x: v.extremum("max", x, v.zero)),
    "sub": _binary(Values.sub),
    "subtract": _binary(Values.sub),
    "add": _binary(lambda v, a, b: v.add(a, b)),
    "mul": _binary(lambda v, a, b: v.mul(a, b)),
    "multiply": _binary(lambda v, a, b: v.mul(a, b)),
    "div": _binary(Values.div),
    "divide": _binary(Values.div),
    "true_divide": _binary(Values.div),
    "truediv": _binary(Values.div),
    "pow": _binary(Values.power),
    "power": _binary(Values.power),
    "float_power": _binary(Values.power),
    "rsub": _binary(lambda v, a, b: v.sub(b, a)),
    "clamp": _clip,
    "clip": _clip,
    "hardtanh": _hardtanh,
    "clamp_max": _clip_max,
    "clamp_min": _clip_min,
    "minimum": _extremum("min", False),
    "maximum": _extremum("max", False),
    "fmin": _extremum("min", False),
    "fmax": _extremum("max", False),
    "min": _extremum("min", True),
    "max": _extremum("max", True),
    "amin": _extremum("min", True),
    "amax": _extremum("max", True),
    "addcmul": _addcmul,
    "addcdiv": _addcdiv,
    "lerp": _lerp,
    "masked_fill": _masked_fill,
    "masked_scatter": _masked_scatter,
    "ones_like": lambda v, args, kw: v.make("wrap", (v.one, args[0]), "ones_like"),
    "flip": _flip,
    "flipud": _flip,
}  # fmt: skip
_FUNCTIONS: dict[str, Handler] = {
    **_ARITHMETIC, "where": _where, "append": _append, "full_like": _full_like
}  # fmt: skip
_METHODS: dict[str, Handler] = {**_ARITHMETIC, "where": _where_method}
_BUILTINS: dict[str, Handler] = {
    "min": _extremum("min", False),
    "max": _extremum("max", False),
    "abs": _ARITHMETIC["abs"],
    "pow": _ARITHMETIC["pow"],
    "sum": _sum_builtin,
    "reversed": _flip,
    "sorted": _sorted,
    "range": _sequence("range"),
    "zip": _sequence("zip"),
    "enumerate": _sequence("enumerate"),
    "map": _sequence("map"),
    "len": _sequence("len"),
}
