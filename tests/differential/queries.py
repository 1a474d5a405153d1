"""Generated queries.

Owned here: which clauses follow which, and what keeps an answer the same in every engine. Always holds: rows come in an order only
where ORDER BY has every column and no column is of a kind that engines order differently (nodes, maps); SKIP and LIMIT only there;
what is collected is collected in an order; nothing depends on ids of the engine.
"""

from expressions import VALUES, Expressions
from graph import LABELS, PROPERTIES, TYPES, literal, value_of

ORDERED = ("int", "float", "str", "bool", "date")


class Queries(Expressions):
    """Draws queries; one object a query."""

    def query(self, writes):
        if writes:
            return self.writing()
        return self.shape() if self.random.random() < 0.25 else self.reading()

    def shape(self):
        """Shapes that planners have ways of their own for: distinct ends of long patterns, aggregates over a label, cycles, shortest
        and quantified paths."""
        a, b = self.one("", ":A", ":B", ":A|B"), self.one("", "", ":C", ":B")
        types, other = self.one("", ":R", ":S|T", ":R|S"), self.one("", ":T", ":R")
        start = self.one("", " {i: 1}", " {j: 2}", " {id: 0}", " {id: 1}", " {b: true}")
        left, right = self.one(("-", "->"), ("<-", "-"), ("-", "-"))
        long = self.one("*1..2", "*1..3", "*2", "*0..2", "*2..3", "*3", "*1..4")
        edge, back = f"{left}[{types}{long}]{right}", f"{left}[{other}]{right}"
        step = f"{left}[{types}]{right}"
        cut = self.one("", "", " ORDER BY o", " ORDER BY o DESC LIMIT 4", " ORDER BY o SKIP 2 LIMIT 3")
        where = self.one("", "", " WHERE a <> b", " WHERE b.i > 0", " WHERE NOT (a)-->(b)", " WHERE a.i < b.j")
        return self.one(
            f"MATCH (a{a}{start}){edge}(b{b}){where} RETURN DISTINCT b.id AS o{cut}",
            f"MATCH (a{a}{start}){edge}(b{b}){where} RETURN count(DISTINCT b) AS o",
            f"MATCH (a{a}{start}){edge}(b{b}){where} RETURN DISTINCT b.i AS o, b.s AS p",
            f"MATCH (a{a}{start}){step}(){back}(b{b}){where} RETURN DISTINCT b.id AS o{cut}",
            f"MATCH (a{a}{start}){step}(m){back}(){step}(b{b}){where} RETURN DISTINCT b AS o",
            f"MATCH (a{a}{start}){step}(m{b}){back}(b){where} RETURN DISTINCT m.id AS o, b.id AS p",
            f"MATCH (a{a}{start}){edge}(b{b}){where} RETURN a.id AS o, count(DISTINCT b) AS p, count(*) AS q",
            f"MATCH (a{a}{start}){edge}(m){back}(b{b}){where} RETURN DISTINCT b.id AS o",
            f"MATCH (a{a}{start}){edge}(b{b}){where} WITH DISTINCT b MATCH (b){back}(c) RETURN DISTINCT c.id AS o{cut}",
            f"MATCH (a{a}{start})(()-[{types}]->(x)){{1,3}}(b{b}){where} RETURN DISTINCT b.id AS o, size(x) AS p",
            f"MATCH p = (a{a}{start}){edge}(b{b}){where} RETURN length(p) AS o, count(*) AS q",
            f"MATCH (a{a}{start}), (b{b}) MATCH p = shortestPath((a){left}[{types}*..5]{right}(b)) WHERE a <> b RETURN a.id AS o, b.id AS p, length(p) AS q",
            f"MATCH (a{a}{start}), (b{b}) MATCH p = allShortestPaths((a){left}[{types}*..5]{right}(b)) WHERE a <> b RETURN a.id AS o, b.id AS p, [n IN nodes(p) | n.id] AS q",
            f"MATCH (a{a}){step}(b){back}(c){step}(a){where} RETURN a.id AS o, b.id AS p, c.id AS q",
            f"MATCH (n{a}) WHERE n.i >= 0 RETURN count(*) AS o, min(n.f) AS p, max(n.s) AS q, sum(n.i) AS t, avg(n.j) AS u, count(DISTINCT n.x) AS v",
            f"MATCH (n{a}) RETURN n.{self.one('i', 's', 'b', 'f', 'x')} AS o, count(*) AS p, sum(n.f) AS q, max(n.id) AS t, count(DISTINCT n.j) AS u",
            f"MATCH (n{a}) WHERE n.{self.one('i', 'j', 'f')} {self.one('<', '=', '<>')} {self.random.randint(0, 3)} RETURN DISTINCT n.s AS o{cut}",
            f"MATCH (n{a}) RETURN n {{.i, .s, k: n.j + 1}} AS o, COLLECT {{ MATCH (n)-->(m) RETURN m.id ORDER BY m.id }} AS p",
            f"MATCH (a{a}{start}), (b{b}) WHERE a.i = b.j RETURN a.id AS o, b.id AS p",
            f"MATCH (a{a}{start}) OPTIONAL MATCH (a){edge}(b{b}) WHERE b.i > 0 RETURN a.id AS o, count(b) AS p, count(DISTINCT b.s) AS q",
        )

    def reading(self):
        scope, clauses = {}, []
        for at in range(self.one(1, 1, 2, 2, 3)):
            scope = self.clause(clauses, scope, first=at == 0)
        text = " ".join(clauses) + " " + self.returning(scope)
        if self.random.random() < 0.05:
            other = {}
            clause = []
            other = self.clause(clause, other, True)
            value = self.of("int", other, 2)
            first = self.of("int", scope, 2)
            return f"{' '.join(clauses)} RETURN {first} AS u UNION{self.one('', ' ALL')} {' '.join(clause)} RETURN {value} AS u"
        return text

    def clause(self, clauses, scope, first):
        draw = self.random.random()
        if first and draw < 0.8 or draw < 0.35:
            return self.match(clauses, scope, "MATCH")
        if draw < 0.55:
            return self.match(clauses, scope, "OPTIONAL MATCH")
        if draw < 0.65:
            x = self.name("u")
            clauses.append(f"UNWIND {self.of('ints', scope, 2)} AS {x}")
            return scope | {x: "int"}
        if draw < 0.75 and scope:
            return self.subquery(clauses, scope)
        if not scope:
            return self.match(clauses, scope, "MATCH")
        return self.with_(clauses, scope)

    def subquery(self, clauses, scope):
        carried = [name for name in scope if self.random.random() < 0.7] or list(scope)[:1]
        inner, inside = {name: scope[name] for name in carried}, [f"WITH {', '.join(carried)}"]
        inner = self.match(inside, inner, self.one("MATCH", "OPTIONAL MATCH"))
        column = self.name("c")
        if self.random.random() < 0.5:
            returned, type_ = f"count({self.one('*', self.of('int', inner, 1))})", "int"
        else:
            type_ = self.one("int", "str", "bool")
            returned = self.of(type_, inner, 2)
        clauses.append(f"CALL {{ {' '.join(inside)} RETURN {self.one('', 'DISTINCT ')}{returned} AS {column} }}")
        return scope | {column: type_}

    def match(self, clauses, scope, keyword):
        binds = {}
        paths = [self.path(scope, binds)]
        if self.random.random() < 0.2:
            paths.append(self.path(scope, binds, anchored=True))
        scope = scope | binds
        where = f" WHERE {self.of('bool', scope, 3)}" if self.random.random() < 0.6 else ""
        clauses.append(f"{keyword} {', '.join(paths)}{where}")
        return scope

    def node(self, scope, binds, anchored=False):
        known = [name for name, type_ in (scope | binds).items() if type_ == "node"]
        if known and (anchored or self.random.random() < 0.5):
            return f"({self.random.choice(known)})"
        name = ""
        if self.random.random() < 0.85:
            name = self.name("n")
        label = f":{self.label_expression()}" if self.random.random() < 0.35 else ""
        held = self.inline(scope) if self.random.random() < 0.15 else ""
        if name:
            binds[name] = "node"
        return f"({name}{label}{held})"

    def inline(self, scope):
        key = self.one(*[key for key in PROPERTIES if key not in ("l", "x")])
        return f" {{{key}: {self.of(PROPERTIES[key], scope, 1)}}}"

    def path(self, scope, binds, anchored=False):
        before = dict(scope)
        text = self.node(before, binds, anchored)
        steps = self.one(0, 1, 1, 1, 2, 2, 3)
        for _ in range(steps):
            type_ = self.one("", f":{self.one(*TYPES)}", f":{self.one(*TYPES)}|{self.one(*TYPES)}")
            left, right = self.one(("-", "->"), ("<-", "-"), ("-", "-"))
            long = self.one("", "", "", "", "*1..2", "*0..1", "*2", "*..3", "*0..2") if steps < 3 else ""
            edge = ""
            if self.random.random() < 0.7:
                edge = self.name("r")
                binds[edge] = "edges" if long else "edge"
            held = self.inline(before) if self.random.random() < 0.07 else ""
            text += f"{left}[{edge}{type_}{long}{held}]{right}{self.node(before, binds)}"
        if self.random.random() < 0.15 and steps:
            name = self.name("p")
            binds[name] = "path"
            text = f"{name} = {text}"
        return text

    def with_(self, clauses, scope):
        if self.random.random() < 0.35:
            return self.grouping(clauses, scope)
        kept = {name: type_ for name, type_ in scope.items() if self.random.random() < 0.7}
        items = list(kept)
        for _ in range(self.one(0, 1, 1)):
            name, type_ = self.name("v"), self.one(*VALUES)
            items.append(f"{self.of(type_, scope, 2)} AS {name}")
            kept[name] = type_
        if not items:
            return scope
        distinct = self.one("", "", "DISTINCT ")
        where = f" WHERE {self.of('bool', kept, 2)}" if self.random.random() < 0.3 else ""
        clauses.append(f"WITH {distinct}{', '.join(items)}{self.cut(kept)}{where}")
        return kept

    def cut(self, columns):
        """ORDER BY over all columns, with SKIP and LIMIT, where their order is the same everywhere; else nothing."""
        if not columns or any(type_ not in ORDERED for type_ in columns.values()) or self.random.random() < 0.4:
            return ""
        names = list(columns)
        self.random.shuffle(names)
        order = ", ".join(name + self.one("", " DESC", " ASC") for name in names)
        skip = f" SKIP {self.random.randint(0, 3)}" if self.random.random() < 0.3 else ""
        limit = f" LIMIT {self.random.randint(0, 5)}" if self.random.random() < 0.5 else ""
        return f" ORDER BY {order}{skip}{limit}"

    def aggregate(self, scope):
        def of(type_):
            return self.of(type_, scope, 2)

        distinct = self.one("", "", "DISTINCT ")
        match self.random.randint(0, 9):
            case 0 | 1:
                return "count(*)", "int"
            case 2:
                held = self.named(scope, "node", "edge", "path")
                return f"count({distinct}{held or of('int')})", "int"
            case 3:
                return f"sum({distinct}{of('int')})", "int"
            case 4:
                return f"sum({distinct}{of('float')})", "float"
            case 5:
                return f"avg({distinct}{of(self.one('int', 'float'))})", "ratio"
            case 6:
                type_ = self.one(*ORDERED)
                return f"{self.one('min', 'max')}({of(type_)})", type_
            case 7:
                return f"size(collect({distinct}{of(self.one(*VALUES))}))", "int"
            case 8:
                what = self.one("percentileDisc(", "percentileCont(1.0 * ")
                return f"{what}{of('int')}, {self.one('0.0', '0.5', '0.75', '1.0')})", "ratio"
            case _:
                return f"{self.one('stDev', 'stDevP')}({of('float')})", "ratio"

    def grouping(self, clauses, scope):
        kept, items = {}, []
        for name, type_ in scope.items():
            if self.random.random() < 0.4:
                kept[name] = type_
                items.append(name)
        for _ in range(self.one(1, 1, 2)):
            text, type_ = self.aggregate(scope)
            name = self.name("g")
            items.append(f"{text} AS {name}")
            kept[name] = type_
        where = f" WHERE {self.of('bool', kept, 2)}" if self.random.random() < 0.3 else ""
        clauses.append(f"WITH {', '.join(items)}{self.cut(kept)}{where}")
        return kept

    def returning(self, scope):
        items, columns = [], {}
        draw = self.random.random()
        for at in range(self.one(1, 2, 2, 3)):
            name = f"o{at}"
            if draw < 0.4 and at == 0 or draw < 0.25:
                text, type_ = self.aggregate(scope)
            elif self.random.random() < 0.3 and scope:
                held = self.one(*scope)
                text, type_ = held, scope[held]
            elif self.random.random() < 0.1 and (node := self.named(scope, "node")):
                inner = {}
                pattern = self.chain(node, scope, inner)
                text = f"size([{pattern} WHERE {self.of('bool', scope | inner, 1)} | {self.of('int', scope | inner, 1)}])"
                type_ = "int"
            else:
                type_ = self.one(*VALUES, "map")
                text = self.of(type_, scope, 3)
            items.append(f"{text} AS {name}")
            columns[name] = type_
        return f"RETURN {self.one('', '', '', 'DISTINCT ')}{', '.join(items)}{self.cut(columns)}"

    def writing(self):
        """Reads, then writes once: what several clauses write to one entity depends on the order of rows in some engines."""
        scope, clauses = {}, []
        scope = self.match(clauses, scope, "MATCH")
        if self.random.random() < 0.3:
            x = self.name("u")
            clauses.append(f"UNWIND {self.of('ints', scope, 1)} AS {x}")
            scope[x] = "int"
        self.write(clauses, scope)
        if self.random.random() < 0.5:
            clauses.append("RETURN count(*) AS c")
        return " ".join(clauses)

    def write(self, clauses, scope):
        node, edge = self.named(scope, "node"), self.named(scope, "edge")
        other = self.named(scope, "node")
        fixed = self.one("i", "s", "f", "b", "d", "l")
        value = literal(value_of(self.random, PROPERTIES[fixed]))
        match self.random.randint(0, 9):
            case 0 if node:
                # A value that each row gives alike: constants of the entity itself.
                clauses.append(f"SET {node}.{fixed} = {self.one(value, 'null', f'{node}.{fixed}')}")
            case 1 if node:
                clauses.append(f"{self.one('SET', 'REMOVE')} {node}:{self.one(*LABELS, 'D')}")
            case 2 if node:
                clauses.append(f"REMOVE {node}.{fixed}")
            case 3 if edge:
                clauses.append(f"SET {edge}.{fixed} = {value}")
            case 4 if edge:
                clauses.append(f"DELETE {edge}")
            case 5 if node:
                clauses.append(f"DETACH DELETE {node}")
            case 6 if node and other:
                clauses.append(f"MERGE ({node}){self.one('-[', '<-[')}:{self.one(*TYPES)}]-({other})")
            case 7 if node and other:
                clauses.append(f"CREATE ({node})-[:{self.one(*TYPES)} {{id: 900, {fixed}: {value}}}]->(:{self.one(*LABELS)} {{id: 901}})")
            case 8 if node:
                clauses.append(f"MERGE (:{self.one(*LABELS)} {{i: {self.random.randint(-2, 5)}, id: 902}})")
            case _ if node:
                clauses.append(f"SET {node} += {{{fixed}: {value}, id: {node}.id}}")
            case _:
                clauses.append(f"CREATE (:{self.one(*LABELS)} {{id: 903, {fixed}: {value}}})")
