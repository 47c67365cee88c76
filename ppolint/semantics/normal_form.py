"""The values of one file, kept in normal form: one object for one formula."""

from __future__ import annotations

from collections.abc import Iterable

from ppolint.semantics.limits import Limits, is_hinge
from ppolint.semantics.values import Value

MAX_PHI = 4
_FOLD_LIMIT = 1e12
_EPSILON = 1e-4
_DETACHING = frozenset({"detach", "detach_", "data"})


class Values(Limits):
    """The interner of one file: makes values and keeps them in normal form."""

    def __init__(self) -> None:
        self._table: dict[tuple, Value] = {}
        self._unknowns = 0
        # What decided between the numbers that a name may hold.
        self.tests: dict[Value, list[Value]] = {}
        self.one = self.const(1)
        self.zero = self.const(0)
        self.none = self.const(None)

    def __len__(self) -> int:
        return len(self._table)

    # -- raw construction -------------------------------------------------------------------
    def make(
        self, op: str, args: tuple[Value, ...] = (), data: object = None, loops: int = 0
    ) -> Value:
        """The node for exactly these parts, without normalisation."""
        key = (op, args, data)
        found = self._table.get(key)
        if found is not None:
            return found
        node = Value()
        node.op, node.args, node.data = op, args, data
        node.number = node.string = node.dotted = None
        node.id = len(self._table)
        self._table[key] = node
        if not args:
            node.loops = loops
            node.core = node
            if op == "ref":
                node.dotted = data  # type: ignore[assignment]
            elif op == "const":
                if isinstance(data, str):
                    node.string = data
                elif isinstance(data, (int, float)):
                    node.number = data
            return node
        plain = True
        for arg in args:
            loops |= arg.loops
            if arg.core is not arg:
                plain = False
        node.loops = loops
        if op == "wrap":
            node.core = args[0].core
        elif plain:
            node.core = node
        else:
            node.core = self._rebuild(op, tuple(a.core for a in args), data)
        return node

    def _rebuild(self, op: str, args: tuple[Value, ...], data: object) -> Value:
        if op == "add":
            return self.add(*args)
        if op == "mul":
            return self.mul(*args)
        if op == "neg":
            return self.neg(args[0])
        if op == "div":
            return self.div(*args)
        if op in ("min", "max"):
            return self.extremum(op, *args)
        if op == "where":
            return self.where(*args)
        if op == "clip":
            return self.clip(*args)
        if op == "exp":
            return self.exp(*args)
        return self.make(op, args, data)

    # -- leaves -----------------------------------------------------------------------------
    def const(self, value: object) -> Value:
        if isinstance(value, bool):
            return self.make("bool", (), value)
        if isinstance(value, float) and value != value:
            return self.unknown()
        return self.make("const", (), value)

    def ref(self, dotted: str) -> Value:
        return self.make("ref", (), dotted)

    def unknown(self) -> Value:
        """A value of which nothing is known; different from every other one."""
        self._unknowns += 1
        return self.make("unknown", (), self._unknowns)

    def attr(self, base: Value, name: str) -> Value:
        if base.op == "ref":
            return self.ref(f"{base.data}.{name}")
        return self.make("attr", (base,), name)

    # -- arithmetic in normal form ----------------------------------------------------------
    def neg(self, x: Value) -> Value:
        if x.number is not None:
            return self.const(-x.number)
        if x.op == "neg":
            return x.args[0]
        if x.op == "add":
            return self.add(*(self.neg(t) for t in x.args))
        if x.op == "wrap":
            return self.make("wrap", (self.neg(x.args[0]), *x.args[1:]), x.data)
        return self.make("neg", (x,))

    def add(self, *parts: Value) -> Value:
        terms: list[Value] = []
        total: float | int = 0
        for part in parts:
            for term in part.args if part.op == "add" else (part,):
                number = term.number
                if number is not None and abs(number) < _FOLD_LIMIT:
                    total += number
                    continue
                opposite = term.args[0] if term.op == "neg" else None
                for at, other in enumerate(terms):
                    if other is opposite or (other.op == "neg" and other.args[0] is term):
                        del terms[at]
                        break
                else:
                    terms.append(term)
        if total:
            centred = next((t for t in terms if _is_centred(t, total)), None)
            if centred is not None:
                # 1 + clip(r - 1, -c, c) is clip(r, 1 - c, 1 + c)
                terms.remove(centred)
                middle = self.const(total)
                shifted = (self.add(a.core, middle) for a in centred.args)
                terms.append(self.make("clip", tuple(shifted)))
                total = 0
        if total:
            terms.append(self.const(total))
        if any(is_hinge(t) for t in terms):
            terms = self._unhinge(terms)
        if not terms:
            return self.zero
        if len(terms) == 1:
            return terms[0]
        terms.sort(key=_by_id)
        return self.make("add", tuple(terms))

    def sub(self, a: Value, b: Value) -> Value:
        return self.add(a, self.neg(b))

    def mul(self, *parts: Value) -> Value:
        factors: list[Value] = []
        negative = False
        for part in parts:
            if part.op == "neg":
                negative = not negative
                part = part.args[0]
            for factor in part.args if part.op == "mul" else (part,):
                number = factor.number
                if number is not None:
                    if number < 0:
                        negative = not negative
                        number = -number
                        factor = self.const(number)
                    if number == 1:
                        continue
                    if number == 0:
                        return self.zero
                factors.append(factor)
        if not factors:
            product = self.one
        elif len(factors) == 1:
            product = factors[0]
        else:
            product = self._limited_product(factors) or self._quotient(factors)
            if product is None:
                factors.sort(key=_by_id)
                product = self.make("mul", tuple(factors))
        return self.neg(product) if negative else product

    def _quotient(self, factors: list[Value]) -> Value | None:
        """x * (1 / y) is x / y."""
        inverse = [f for f in factors if f.op == "div" and f.args[0].number == 1]
        if len(inverse) != 1:
            return None
        rest = [f for f in factors if f is not inverse[0]]
        return self.div(self.mul(*rest), inverse[0].args[1])

    def div(self, a: Value, b: Value) -> Value:
        if b.number == 1:
            return a
        x, y = a.number, b.number
        if x is not None and y:
            return self.const(x / y) if x % y else self.const(x // y)
        if a.core is b.core and b.op == "wrap" and b.data in _DETACHING:
            return self.exp(self.zero)  # p / p.detach() is one, as exp(x - x.detach())
        below = _without_epsilon(b.core)
        if a.core.op == "exp" and below.op == "exp":
            return self.exp(self.sub(a.core.args[0], below.args[0]))
        if a.number == 1 and b.core.op == "exp":
            return self.exp(self.neg(b.core.args[0]))
        negative = (a.op == "neg") != (b.op == "neg")
        a = a.args[0] if a.op == "neg" else a
        b = b.args[0] if b.op == "neg" else b
        quotient = self.make("div", (a, b))
        return self.neg(quotient) if negative else quotient

    def power(self, base: Value, exponent: Value) -> Value:
        if base.core.dotted in ("math.e", "numpy.e", "torch.e"):
            return self.exp(exponent)
        if exponent.number == 1:
            return base
        if exponent.number == -1:
            return self.div(self.one, base)
        if exponent.number == 0.5:
            return self.make("sqrt", (base,))
        if exponent.number == 2 and base.op == "neg":
            base = base.args[0]
        return self.make("pow", (base, exponent))

    def exp(self, x: Value) -> Value:
        return self.make("exp", (x,))

    def log(self, x: Value) -> Value:
        if x.core.op == "exp":
            return x.core.args[0]
        return self.make("log", (x,))

    def substituted(self, value: Value, old: Value, new: Value) -> Value:
        """`value` with `new` in the place of `old`, in normal form again; calls are left alone."""
        known = {old: new}

        def of(part: Value) -> Value:
            if part not in known:
                changed = part
                if part.args and part.op != "call":
                    args = tuple(of(a) for a in part.args)
                    if args != part.args:
                        changed = self._rebuild(part.op, args, part.data)
                known[part] = changed
            return known[part]

        return of(value)

    def phi(self, alternatives: Iterable[Value]) -> Value:
        """The value of a name where branches meet; too many alternatives are `unknown`."""
        seen: list[Value] = []
        for value in alternatives:
            for part in value.args if value.op == "phi" else (value,):
                if part not in seen:
                    seen.append(part)
        if len(seen) == 1:
            return seen[0]
        if len(seen) > MAX_PHI:
            seen = seen[-MAX_PHI:]
        return self.make("phi", tuple(seen))


def _is_centred(term: Value, middle: float) -> bool:
    """Whether a value is clip(x - middle, lo, hi)."""
    return term.op == "clip" and any(
        t.number == -middle
        for t in (term.args[0].core.args if term.args[0].core.op == "add" else ())
    )


def _without_epsilon(value: Value) -> Value:
    """x of x + 1e-8, which keeps a divisor from zero."""
    if value.op == "add" and len(value.args) == 2:
        for one, other in (value.args, value.args[::-1]):
            if other.number is not None and 0 < other.number <= _EPSILON:
                return one.core
    return value


def _by_id(value: Value) -> int:
    return value.id


def _constant_part(value: Value) -> tuple[float, Value | None]:
    """`value` as constant + rest."""
    if value.number is not None:
        return value.number, None
    if value.op == "add":
        for term in value.args:
            if term.number is not None:
                return term.number, value
    return 0.0, value
