//! The table of functions against what they do: each is called once as it should be and once as it should not be.

mod db;

use db::Db;
use quoit_cypher::error::ErrorKind;
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

/// In front of each call: nodes, a relationship, a path, and a number whose type nobody knows before the query runs.
const FRONT: &str = "MATCH p = (a:A)-[r:R]->(b:B) UNWIND [1] AS one RETURN ";

/// The function, what must be true of it, and a call with an argument that it does not take (none: it takes all).
const CALLS: &[(&str, &str, &str)] = &[
    ("count", "count(a.none) = 0 AND count(*) = 1", ""),
    ("sum", "sum(a.x) = 1", "sum('a')"),
    ("avg", "avg(a.x) = 1.0", "avg('a')"),
    ("min", "min(a.x) = 1", ""),
    ("max", "max(a.s) = 'text'", ""),
    (
        "collect",
        "collect(a.x) = [1] AND collect(a.s, a.x) = {text: 1} AND collect(a.none, 1) = {}",
        "collect(a.x, a.x)",
    ),
    (
        "percentileCont",
        "percentileCont(a.x, 0.5) = 1.0",
        "percentileCont(a.x, 1.5)",
    ),
    (
        "percentileDisc",
        "percentileDisc(a.x, 0.5) = 1",
        "percentileDisc('a', 0.5)",
    ),
    ("stDev", "stDev(a.x) = 0.0", "stDev('a')"),
    ("stDevP", "stDevP(a.x) = 0.0", "stDevP('a')"),
    ("id", "id(a) = id(startNode(r)) AND id(r) >= 0", "id(a.x)"),
    (
        "elementId",
        "elementId(a) <> elementId(b)",
        "elementId(a.x)",
    ),
    ("labels", "labels(a) = ['A']", "labels(a.x)"),
    ("type", "type(r) = 'R'", "type(a.x)"),
    (
        "keys",
        "size(keys(a)) = 3 AND keys({k: 1}) = ['k']",
        "keys(a.x)",
    ),
    (
        "values",
        "values(r) = [2] AND values({k: 5}) = [5]",
        "values(a.x)",
    ),
    ("properties", "properties(r) = {y: 2}", "properties(a.x)"),
    (
        "apoc.any.property",
        "apoc.any.property(r, 'y') = 2 AND apoc.any.property({k: 5}, 'k') = 5 AND apoc.any.property(a, 'none') IS NULL",
        "apoc.any.property(a.x, 'x')",
    ),
    (
        "propertySize",
        "propertySize(a, 'x') > 0",
        "propertySize(a.x, 'x')",
    ),
    ("startNode", "startNode(r) = a", "startNode(a.x)"),
    ("endNode", "endNode(r) = b", "endNode(a.x)"),
    ("degree", "degree(a) = 1", "degree(a.x)"),
    ("inDegree", "inDegree(a) = 0", "inDegree(a.x)"),
    ("outDegree", "outDegree(a) = 1", "outDegree(a.x)"),
    ("nodes", "nodes(p) = [a, b]", "nodes(a.x)"),
    (
        "relationships",
        "relationships(p) = [r]",
        "relationships(a.x)",
    ),
    ("rels", "rels(p) = [r]", "rels(a.x)"),
    ("length", "length(p) = 1", "length(a.x)"),
    ("head", "head([1, 2]) = 1 AND head([]) IS NULL", "head(a.x)"),
    ("last", "last([1, 2]) = 2", "last(a.x)"),
    (
        "tail",
        "tail([1, 2, 3]) = [2, 3] AND tail([]) = []",
        "tail(a.x)",
    ),
    ("size", "size([1, 2]) = 2 AND size('äö') = 2", "size(a.x)"),
    ("char_length", "char_length('äö') = 2", "char_length(a.x)"),
    (
        "character_length",
        "character_length('äö') = 2",
        "character_length(a.x)",
    ),
    ("range", "range(1, 5, 2) = [1, 3, 5]", "range(1, a.s)"),
    (
        "reverse",
        "reverse([1, 2]) = [2, 1] AND reverse('ab') = 'ba'",
        "reverse(a.x)",
    ),
    ("coalesce", "coalesce(null, a.none, 3) = 3", ""),
    (
        "isEmpty",
        "isEmpty([]) AND isEmpty('') AND NOT isEmpty({k: 1})",
        "isEmpty(a.x)",
    ),
    ("toSet", "size(toSet([1, 1, 2])) = 2", "toSet(a.x)"),
    (
        "uniformSample",
        "size(uniformSample([1, 2], 5)) = 5",
        "uniformSample([1], a.s)",
    ),
    ("nullIf", "nullIf(1, 1) IS NULL AND nullIf(1, 2) = 1", ""),
    (
        "valueType",
        "valueType(1) = 'INTEGER' AND valueType(r) = 'RELATIONSHIP'",
        "",
    ),
    ("assert", "assert(a.x = 1, 'no')", "assert(a.x = 2, 'no')"),
    ("exists", "exists((a)-->(b)) AND NOT exists(a.none)", ""),
    (
        "toInteger",
        "toInteger('7') = 7 AND toInteger(2.9) = 2",
        "toInteger(a)",
    ),
    ("toFloat", "toFloat('1.5') = 1.5", "toFloat(a)"),
    (
        "toString",
        "toString(1.0) = '1.0' AND toString(true) = 'true'",
        "toString(a)",
    ),
    (
        "toBoolean",
        "toBoolean('TRUE') AND toBoolean('x') IS NULL",
        "toBoolean(a)",
    ),
    (
        "toIntegerOrNull",
        "toIntegerOrNull(a) IS NULL AND toIntegerOrNull('1') = 1",
        "",
    ),
    (
        "toFloatOrNull",
        "toFloatOrNull(a) IS NULL AND toFloatOrNull(1) = 1.0",
        "",
    ),
    (
        "toStringOrNull",
        "toStringOrNull(a) IS NULL AND toStringOrNull(1) = '1'",
        "",
    ),
    (
        "toBooleanOrNull",
        "toBooleanOrNull(a) IS NULL AND toBooleanOrNull(1)",
        "",
    ),
    (
        "toIntegerList",
        "toIntegerList(['1', 2.5]) = [1, 2]",
        "toIntegerList(a.x)",
    ),
    (
        "toFloatList",
        "toFloatList(['1', 2]) = [1.0, 2.0]",
        "toFloatList(a.x)",
    ),
    (
        "toStringList",
        "toStringList([1, true]) = ['1', 'true']",
        "toStringList(a.x)",
    ),
    (
        "toBooleanList",
        "toBooleanList(['true', 0]) = [true, false]",
        "toBooleanList(a.x)",
    ),
    (
        "substring",
        "substring('hello', 1, 3) = 'ell'",
        "substring('hello', -1)",
    ),
    ("left", "left('hello', 2) = 'he'", "left('hello', -1)"),
    ("right", "right('hello', 2) = 'lo'", "right('hello', -1)"),
    ("trim", "trim('  x ') = 'x'", "trim(a.x)"),
    (
        "lTrim",
        "lTrim('  x ') = 'x ' AND lTrim('xyax', 'yx') = 'ax'",
        "lTrim(a.x)",
    ),
    ("rTrim", "rTrim('  x ') = '  x'", "rTrim(a.x)"),
    ("bTrim", "bTrim('xxhixx', 'x') = 'hi'", "bTrim('x', a.x)"),
    (
        "split",
        "split('a,b', ',') = ['a', 'b'] AND split('a,b;.c', [',', ';.']) = ['a', 'b', 'c'] AND split('a', []) = ['a']",
        "split('a,b', a.x)",
    ),
    (
        "replace",
        "replace('aba', 'a', 'x') = 'xbx'",
        "replace('aba', a.x, 'x')",
    ),
    ("toLower", "toLower('ÄB') = 'äb'", "toLower(a.x)"),
    ("toUpper", "toUpper('äb') = 'ÄB'", "toUpper(a.x)"),
    ("lower", "lower('AB') = 'ab'", "lower(a.x)"),
    ("upper", "upper('ab') = 'AB'", "upper(a.x)"),
    ("contains", "contains('abc', 'b')", "contains('abc', a.x)"),
    (
        "startsWith",
        "startsWith('abc', 'ab')",
        "startsWith('abc', a.x)",
    ),
    ("endsWith", "endsWith('abc', 'bc')", "endsWith('abc', a.x)"),
    ("abs", "abs(-3) = 3 AND abs(-1.5) = 1.5", "abs(a.s)"),
    ("ceil", "ceil(1.2) = 2.0", "ceil(a.s)"),
    ("floor", "floor(1.8) = 1.0", "floor(a.s)"),
    (
        "round",
        "round(1.25, 1) = 1.3 AND round(2.4) = 2.0",
        "round(a.s)",
    ),
    ("sign", "sign(-5) = -1 AND sign(0) = 0", "sign(a.s)"),
    ("isNaN", "isNaN(0.0 / 0.0) AND NOT isNaN(1)", "isNaN(a.s)"),
    ("rand", "0 <= rand() < 1", ""),
    ("randomUUID", "size(randomUUID()) = 36", ""),
    ("e", "2.718 < e() < 2.719", ""),
    ("pi", "3.141 < pi() < 3.142", ""),
    ("exp", "exp(0) = 1.0", "exp(a.s)"),
    ("log", "log(e()) = 1.0", "log(a.s)"),
    ("log10", "log10(100) = 2.0", "log10(a.s)"),
    ("sqrt", "sqrt(9) = 3.0", "sqrt(a.s)"),
    ("sin", "sin(0) = 0.0", "sin(a.s)"),
    ("cos", "cos(0) = 1.0", "cos(a.s)"),
    ("tan", "tan(0) = 0.0", "tan(a.s)"),
    ("cot", "abs(cot(pi() / 4) - 1) < 0.000001", "cot(a.s)"),
    ("asin", "asin(0) = 0.0", "asin(a.s)"),
    ("acos", "acos(1) = 0.0", "acos(a.s)"),
    ("atan", "atan(0) = 0.0", "atan(a.s)"),
    ("atan2", "atan2(0, 1) = 0.0", "atan2(0, a.s)"),
    ("degrees", "degrees(pi()) = 180.0", "degrees(a.s)"),
    ("radians", "radians(180) = pi()", "radians(a.s)"),
    ("haversin", "haversin(0) = 0.0", "haversin(a.s)"),
    ("sinh", "sinh(0) = 0.0", "sinh(a.s)"),
    ("cosh", "cosh(0) = 1.0", "cosh(a.s)"),
    (
        "tanh",
        "abs(tanh(1) - sinh(1) / cosh(1)) < 1e-12",
        "tanh(a.s)",
    ),
    (
        "coth",
        "abs(coth(1) - cosh(1) / sinh(1)) < 1e-12",
        "coth(a.s)",
    ),
    (
        "toByteString",
        "toByteString('0x616263') = 'abc' AND toByteString('0x9') = '\\t'",
        "toByteString('0xff')",
    ),
    (
        "fromByteString",
        "fromByteString('abc') = '0x616263' AND fromByteString('a', 2) = '0x0061'",
        "fromByteString(a.x)",
    ),
    (
        "normalize",
        "normalize('e\\u0301') = '\\u00e9' AND normalize('\\ufb01', NFKD) = 'fi'",
        "normalize(a.x)",
    ),
    (
        "counter",
        "[counter('c', 5), counter('c', 5), counter('d', 0, -2), counter('d', 0, -2)] = [5, 6, 0, -2]",
        "counter('c', 0, 0)",
    ),
    ("getHopsCounter", "getHopsCounter() = 0", ""),
    ("linenumber", "linenumber() IS NULL", ""),
    ("file", "file() IS NULL", ""),
    ("username", "username() IS NULL", ""),
    ("roles", "roles() = []", ""),
    ("date", "date('2020-02-29').day = 29", "date('2021-02-29')"),
    (
        "date.transaction",
        "date.transaction() <= date.realtime()",
        "date.transaction(one)",
    ),
    (
        "date.statement",
        "date.statement() = date()",
        "date.statement(one)",
    ),
    (
        "date.realtime",
        "date.realtime().year > 2000",
        "date.realtime(one)",
    ),
    (
        "date.truncate",
        "date.truncate('month', date('2020-02-29')).day = 1",
        "date.truncate('moment', date())",
    ),
    ("time", "time('12:30+01:00').hour = 12", "time('25:00')"),
    (
        "time.transaction",
        "time.transaction().hour < 24",
        "time.transaction(one)",
    ),
    (
        "time.statement",
        "time.statement().hour < 24",
        "time.statement(one)",
    ),
    (
        "time.realtime",
        "time.realtime().hour < 24",
        "time.realtime(one)",
    ),
    (
        "time.truncate",
        "time.truncate('hour', time('12:30Z')).minute = 0",
        "time.truncate('moment', time())",
    ),
    (
        "localtime",
        "localtime('12:30').minute = 30",
        "localtime('x')",
    ),
    (
        "localtime.transaction",
        "localtime.transaction().hour < 24",
        "localtime.transaction(one)",
    ),
    (
        "localtime.statement",
        "localtime.statement().hour < 24",
        "localtime.statement(one)",
    ),
    (
        "localtime.realtime",
        "localtime.realtime().hour < 24",
        "localtime.realtime(one)",
    ),
    (
        "localtime.truncate",
        "localtime.truncate('hour', localtime('12:30')).minute = 0",
        "localtime.truncate('moment', localtime())",
    ),
    (
        "datetime",
        "datetime('2020-01-01T00:00Z').year = 2020",
        "datetime('x')",
    ),
    (
        "datetime.transaction",
        "datetime.transaction().year > 2000",
        "datetime.transaction(one)",
    ),
    (
        "datetime.statement",
        "datetime.statement() = datetime()",
        "datetime.statement(one)",
    ),
    (
        "datetime.realtime",
        "datetime.realtime().year > 2000",
        "datetime.realtime(one)",
    ),
    (
        "datetime.truncate",
        "datetime.truncate('year', datetime('2020-05-01T00:00Z')).month = 1",
        "datetime.truncate('moment', datetime())",
    ),
    (
        "datetime.fromepoch",
        "datetime.fromepoch(60, 0).minute = 1",
        "datetime.fromepoch(a.s, 0)",
    ),
    (
        "datetime.fromepochmillis",
        "datetime.fromepochmillis(60000).minute = 1",
        "datetime.fromepochmillis(a.s)",
    ),
    (
        "localdatetime",
        "localdatetime('2020-01-01T00:00').year = 2020",
        "localdatetime('x')",
    ),
    (
        "localdatetime.transaction",
        "localdatetime.transaction().year > 2000",
        "localdatetime.transaction(one)",
    ),
    (
        "localdatetime.statement",
        "localdatetime.statement() = localdatetime()",
        "localdatetime.statement(one)",
    ),
    (
        "localdatetime.realtime",
        "localdatetime.realtime().year > 2000",
        "localdatetime.realtime(one)",
    ),
    (
        "localdatetime.truncate",
        "localdatetime.truncate('year', localdatetime('2020-05-01T00:00')).month = 1",
        "localdatetime.truncate('moment', localdatetime())",
    ),
    ("duration", "duration('P1D').days = 1", "duration('x')"),
    (
        "duration.between",
        "duration.between(date('2020-01-01'), date('2020-01-03')).days = 2",
        "duration.between(one, one)",
    ),
    (
        "duration.inMonths",
        "duration.inMonths(date('2020-01-01'), date('2020-03-01')).months = 2",
        "duration.inMonths(one, one)",
    ),
    (
        "duration.inDays",
        "duration.inDays(date('2020-01-01'), date('2020-01-03')).days = 2",
        "duration.inDays(one, one)",
    ),
    (
        "duration.inSeconds",
        "duration.inSeconds(time('12:00Z'), time('12:01Z')).seconds = 60",
        "duration.inSeconds(one, one)",
    ),
    ("timestamp", "timestamp() > 1500000000000", "timestamp(one)"),
    ("point", "point({x: 1, y: 2}).y = 2.0", "point({x: 1})"),
    (
        "point.distance",
        "point.distance(point({x: 0, y: 0}), point({x: 3, y: 4})) = 5.0",
        "point.distance(one, one)",
    ),
    (
        "point.withinBBox",
        "point.withinBBox(point({x: 1, y: 1}), point({x: 0, y: 0}), point({x: 2, y: 2}))",
        "point.withinBBox(one, one, one)",
    ),
    (
        "distance",
        "distance(point({x: 0, y: 0}), point({x: 3, y: 4})) = 5.0",
        "distance(one, one)",
    ),
];

/// Known by name and not to be had: each is refused by its name.
const REFUSED: &[&str] = &["project", "toEnum"];

fn graph() -> Db {
    let db = Db::new();
    db.run("CREATE (:A {x: 1, s: 'text', f: 1.5})-[:R {y: 2}]->(:B)");
    db
}

#[test]
fn each_function_gives_what_it_should_and_refuses_what_it_should() {
    let db = graph();
    for (name, right, wrong) in CALLS {
        let rows = db.run(&format!("{FRONT}{right} AS is_right"));
        assert_eq!(rows, [[Value::Bool(true)]], "{name}: {right}");
        if wrong.is_empty() {
            continue;
        }
        let error = db.error(&format!("{FRONT}{wrong} AS v"));
        let kinds = [
            ErrorKind::TypeError,
            ErrorKind::ArgumentError,
            ErrorKind::SyntaxError,
        ];
        assert!(kinds.contains(&error.kind()), "{name}: {wrong}: {error:?}");
        assert!(
            error.span().is_some(),
            "{name}: {wrong} has no place: {error:?}"
        );
    }
}

#[test]
fn no_function_of_the_table_is_left_out() {
    let db = graph();
    for function in Function::ALL {
        let name = function.name();
        let called = CALLS.iter().filter(|(known, ..)| *known == name).count();
        if !REFUSED.contains(&name) {
            assert_eq!(called, 1, "{name} is called {called} times");
            continue;
        }
        let args = vec!["1"; function.arity().0].join(", ");
        let error = db.error(&format!("RETURN {name}({args}) AS v"));
        assert_eq!(
            (called, error.kind()),
            (0, ErrorKind::Unsupported),
            "{name}"
        );
        assert!(error.message().contains(name), "{error:?}");
    }
}

#[test]
fn each_function_takes_so_many_arguments_and_no_other_number() {
    let db = graph();
    for function in Function::ALL {
        let (least, most) = function.arity();
        let numbers = [least.checked_sub(1), most.checked_add(1)];
        for number in numbers.into_iter().flatten().filter(|number| *number < 100) {
            let args = vec!["one"; number].join(", ");
            let text = format!("{FRONT}{}({args}) AS v", function.name());
            let error = db.error(&text);
            assert_eq!(error.kind(), ErrorKind::SyntaxError, "{text}: {error:?}");
        }
    }
}
