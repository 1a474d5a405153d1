"""Generated expressions, by type.

Owned here: what expression of which type may stand where. Types are `int float str bool ints date any map` for values, `node edge
path edges` for what a MATCH binds. Always holds: an expression that is asked for a type has that type or is null, so that an error is
rare and comes from values. A float is never -0.0, which Java orders before 0.0 (IEEE 754 and Quoit do not): `+ 0.0` sees to that.
"""

from graph import LABELS, PROPERTIES, TYPES, literal, value_of

VALUES = ["int", "float", "str", "bool", "ints", "date", "any"]


class Expressions:
    """Draws expressions over a scope: name -> type."""

    def __init__(self, random):
        self.random, self.fresh = random, 0

    def name(self, letter):
        self.fresh += 1
        return f"{letter}{self.fresh}"

    def one(self, *choices):
        return self.random.choice(choices)

    def named(self, scope, *types):
        found = [name for name, type_ in scope.items() if type_ in types]
        return self.random.choice(found) if found else None

    def property(self, scope, type_):
        entity = self.named(scope, "node", "edge")
        keys = [key for key, held in PROPERTIES.items() if held == type_]
        if entity is None or not keys:
            return None
        key = self.random.choice(keys)
        if type_ == "int" and self.random.random() < 0.2:
            key = "id"
        return f"{entity}.{key}" if self.random.random() < 0.95 else f"{entity}['{key}']"

    def of(self, type_, scope, depth):
        """An expression of a type."""
        draw = self.random.random()
        if draw < 0.03:
            return "null"
        if depth <= 0 or draw < 0.35:
            leaf = self.leaf(type_, scope)
            if leaf is not None:
                return leaf
        return getattr(self, f"{type_}_")(scope, depth - 1)

    def leaf(self, type_, scope):
        if self.random.random() < 0.75:
            held = self.named(scope, type_)
            found = self.property(scope, type_)
            options = [option for option in (held, found) if option is not None]
            if options:
                return self.random.choice(options)
        if type_ == "map":
            return "{}"
        return literal(value_of(self.random, type_))

    def case(self, type_, scope, depth):
        what = self.of(type_, scope, depth)
        other = self.of(type_, scope, depth)
        match self.random.randint(0, 3):
            case 0:
                return f"CASE WHEN {self.of('bool', scope, depth)} THEN {what} ELSE {other} END"
            case 1:
                return f"coalesce({what}, {other})"
            case 2:
                tested = self.one("int", "str")
                return (f"CASE {self.of(tested, scope, depth)} WHEN {self.of(tested, scope, depth)} THEN {what} "
                        f"WHEN {self.of(tested, scope, depth)} THEN {other} END")
            case _:
                items = f"[{what}, {other}]"
                return self.one(f"head({items})", f"last({items})", f"{items}[{self.random.randint(-2, 2)}]",
                                f"{{k: {what}, m: {other}}}.{self.one('k', 'm', 'k', 'm', 'z')}")

    def int_(self, scope, depth):
        def of(type_):
            return self.of(type_, scope, depth)

        match self.random.randint(0, 9):
            case 0 | 1:
                return f"({of('int')} {self.one('+', '-', '*')} {of('int')})"
            case 2:
                return f"({of('int')} {self.one('/', '%')} {self.one('2', '3', '-2')})"
            case 3:
                return f"size({of(self.one('ints', 'str'))})"
            case 4:
                return f"toInteger({of(self.one('float', 'str', 'int'))})"
            case 5:
                x = self.name("x")
                return f"reduce({x} = 0, y IN {of('ints')} | {x} + y)"
            case 6:
                path = self.named(scope, "path")
                return f"length({path})" if path else f"abs({of('int')})"
            case 7:
                edges = self.named(scope, "edges")
                return f"size({edges})" if edges else f"sign({of('float')})"
            case 8:
                return f"{of('ints')}[{self.random.randint(-2, 2)}]"
            case _:
                return self.case("int", scope, depth)

    def float_(self, scope, depth):
        def of(type_):
            return self.of(type_, scope, depth)

        match self.random.randint(0, 5):
            case 0:
                return f"({of('float')} {self.one('+', '-')} {of(self.one('int', 'float'))})"
            case 1:
                return f"({of('float')} / {self.one('2', '-4.0', '0.5')} + 0.0)"
            case 2:
                return f"({self.one('abs', 'ceil', 'floor', 'round')}({of('float')}) + 0.0)"
            case 3:
                return f"toFloat({of(self.one('int', 'float', 'str'))})"
            case 4:
                return f"({of('int')} * {of('float')} + 0.0)"
            case _:
                return self.case("float", scope, depth)

    def str_(self, scope, depth):
        def of(type_):
            return self.of(type_, scope, depth)

        match self.random.randint(0, 8):
            case 0:
                return f"({of('str')} + {of('str')})"
            case 1:
                return f"{self.one('toUpper', 'toLower', 'trim', 'lTrim', 'rTrim', 'reverse')}({of('str')})"
            case 2:
                return f"substring({of('str')}, {self.random.randint(0, 3)}{self.one('', ', 1', ', 0', ', 5')})"
            case 3:
                return f"{self.one('left', 'right')}({of('str')}, {self.random.randint(0, 3)})"
            case 4:
                return f"replace({of('str')}, {self.one(chr(39) + 'a' + chr(39), chr(39) + 'b' + chr(39))}, {of('str')})"
            case 5:
                return f"toString({of(self.one('int', 'bool', 'str', 'date'))})"
            case 6:
                edge = self.named(scope, "edge")
                return f"type({edge})" if edge else f"toString({of('date')})"
            case 7:
                return f"split({of('str')}, 'a')[{self.random.randint(-1, 1)}]"
            case _:
                return self.case("str", scope, depth)

    def date_(self, scope, depth):
        def of(type_):
            return self.of(type_, scope, depth)

        match self.random.randint(0, 3):
            case 0:
                return f"({of('date')} {self.one('+', '-')} duration({{{self.one('days', 'months', 'years')}: {self.random.randint(-3, 40)}}}))"
            case 1:
                unit = self.one("month", "year", "week", "quarter", "decade", "weekYear")
                return f"date.truncate('{unit}', {of('date')})"
            case 2:
                return f"date({{year: 2000, ordinalDay: {self.random.randint(1, 366)}}})"
            case _:
                return self.case("date", scope, depth)

    def ints_(self, scope, depth):
        def of(type_):
            return self.of(type_, scope, depth)

        match self.random.randint(0, 8):
            case 0:
                return f"[{of('int')}, {of('int')}]"
            case 1:
                return f"({of('ints')} + {of(self.one('ints', 'int'))})"
            case 2:
                start = self.random.randint(-2, 2)
                return f"{of('ints')}[{self.one('', str(start))}..{self.random.randint(-1, 3)}]"
            case 3:
                return f"{self.one('tail', 'reverse')}({of('ints')})"
            case 4:
                step = self.one("", ", 2", ", -1")
                return f"range({self.random.randint(-1, 3)}, {self.random.randint(-1, 4)}{step})"
            case 5 | 6:
                x = self.name("x")
                inner = scope | {x: "int"}
                where = f" WHERE {self.of('bool', inner, depth)}" if self.random.random() < 0.6 else ""
                return f"[{x} IN {of('ints')}{where} | {self.of('int', inner, depth)}]"
            case 7:
                path = self.named(scope, "path")
                if path is None:
                    return of("ints")
                x, what = self.name("x"), self.one("nodes", "relationships")
                inner = scope | {x: "node" if what == "nodes" else "edge"}
                return f"[{x} IN {what}({path}) | {self.of('int', inner, depth)}]"
            case _:
                return self.case("ints", scope, depth)

    def any_(self, scope, depth):
        if self.random.random() < 0.3:
            key = self.property(scope, "any")
            if key is not None:
                return key
        return self.of(self.one(*VALUES[:-1]), scope, depth)

    def map_(self, scope, depth):
        return f"{{k: {self.of(self.one(*VALUES), scope, depth)}, m: {self.of('int', scope, depth)}}}"

    def bool_(self, scope, depth):
        def of(type_):
            return self.of(type_, scope, depth)

        node, edge = self.named(scope, "node"), self.named(scope, "edge")
        match self.random.randint(0, 16):
            case 0 | 1 | 2:
                type_ = self.one("int", "float", "str", "date", "int", "any")
                return f"({of(type_)} {self.one('=', '<>', '<', '>', '<=', '>=')} {of(type_)})"
            case 3:
                return f"({of('int')} {self.one('=', '<', '>=')} {of('float')})"
            case 4 | 5:
                return f"({of('bool')} {self.one('AND', 'OR', 'XOR')} {of('bool')})"
            case 6:
                return f"(NOT {of('bool')})"
            case 7:
                return f"({of(self.one(*VALUES))} {self.one('IS NULL', 'IS NOT NULL')})"
            case 8:
                return f"({of('int')} IN {of('ints')})"
            case 9:
                return f"({of('str')} {self.one('STARTS WITH', 'ENDS WITH', 'CONTAINS')} {of('str')})"
            case 10:
                x = self.name("x")
                predicate = self.of("bool", scope | {x: "int"}, depth)
                return f"{self.one('all', 'any', 'none', 'single')}({x} IN {of('ints')} WHERE {predicate})"
            case 11 if node:
                return f"{node}:{self.label_expression()}" if self.random.random() < 0.5 else f"({node}:{self.one(*LABELS)} OR {of('bool')})"
            case 12 if node:
                other = self.named(scope, "node")
                return f"({node} {self.one('=', '<>')} {other})"
            case 13 if edge:
                return self.one(f"{edge}:{self.one(*TYPES)}", f"(startNode({edge}) = endNode({edge}))", f"(type({edge}) = '{self.one(*TYPES)}')")
            case 14 if node:
                return self.one("", "NOT ") + self.chain(node, scope)
            case 15 if node:
                pattern = self.chain(node, scope, inner := {})
                predicate = self.of("bool", scope | inner, depth)
                if self.random.random() < 0.5:
                    return f"EXISTS {{ MATCH {pattern} WHERE {predicate} }}"
                return f"(COUNT {{ {pattern} WHERE {predicate} }} {self.one('>', '=', '<')} {self.random.randint(0, 3)})"
            case 16:
                return f"({of('ints')} {self.one('=', '<>', '<', '>=')} {of('ints')})"
            case _:
                return self.case("bool", scope, depth)

    def label_expression(self):
        a, b = self.one(*LABELS), self.one(*LABELS)
        return self.one(a, a, f"{a}&{b}", f"{a}|{b}", f"!{a}", f"{a}&!{b}", f"!({a}|{b})")

    def chain(self, node, scope, binds=None):
        """A pattern from a bound node; names it introduces go to `binds`, without it it introduces none."""
        text = f"({node})"
        for _ in range(self.one(1, 1, 2)):
            edge = end = ""
            if binds is not None and self.random.random() < 0.7:
                end = self.name("n")
                binds[end] = "node"
            if binds is not None and self.random.random() < 0.5:
                edge = self.name("r")
                binds[edge] = "edge"
            type_ = self.one("", f":{self.one(*TYPES)}", f":{self.one(*TYPES)}|{self.one(*TYPES)}")
            label = self.one("", "", f":{self.one(*LABELS)}")
            left, right = self.one(("-", "->"), ("<-", "-"), ("-", "-"))
            if binds is None and self.random.random() < 0.2:
                other = self.named(scope, "node")
                text += f"{left}[{type_}]{right}({other})"
                continue
            text += f"{left}[{edge}{type_}]{right}({end}{label})"
        return text
