//! The functions and aggregates of the language: one table of names, arities and kinds.
//!
//! The check resolves calls against it, the engine matches on [`Function`] to evaluate, and `SHOW FUNCTIONS` lists it. Names are
//! compared without regard to case. What a function does, and which argument types it takes when it runs, is the engine's.

use std::fmt;

/// Whether a function folds rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionKind {
    /// One value for each row.
    Scalar,
    /// As scalar, but the same arguments may give different values each time (`rand()`).
    Volatile,
    /// One value for each group of rows.
    Aggregate,
}

macro_rules! functions {
    ($($variant:ident $name:literal $kind:ident $min:literal..=$max:tt,)*) => {
        /// A function of the language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Function { $($variant,)* }

        impl Function {
            /// All functions, by family.
            pub const ALL: &[Function] = &[$(Function::$variant,)*];

            /// The name as the documentation writes it.
            pub fn name(self) -> &'static str {
                match self { $(Function::$variant => $name,)* }
            }

            /// Scalar, volatile or aggregate.
            pub fn kind(self) -> FunctionKind {
                match self { $(Function::$variant => FunctionKind::$kind,)* }
            }

            /// The fewest and the most arguments; [`ARGS_MAX`] stands for "any number".
            pub fn arity(self) -> (usize, usize) {
                match self { $(Function::$variant => ($min, functions!(@max $max)),)* }
            }
        }
    };
    (@max any) => { ARGS_MAX };
    (@max $max:literal) => { $max };
}

/// The upper bound of a function that takes any number of arguments.
pub const ARGS_MAX: usize = usize::MAX;

functions! {
    // Aggregates.
    Count "count" Aggregate 1..=1,
    Sum "sum" Aggregate 1..=1,
    Avg "avg" Aggregate 1..=1,
    Min "min" Aggregate 1..=1,
    Max "max" Aggregate 1..=1,
    Collect "collect" Aggregate 1..=2,
    PercentileCont "percentileCont" Aggregate 2..=2,
    PercentileDisc "percentileDisc" Aggregate 2..=2,
    StDev "stDev" Aggregate 1..=1,
    StDevP "stDevP" Aggregate 1..=1,
    Project "project" Aggregate 1..=2,
    // Nodes, relationships, paths.
    Id "id" Scalar 1..=1,
    ElementId "elementId" Scalar 1..=1,
    Labels "labels" Scalar 1..=1,
    Type "type" Scalar 1..=1,
    Keys "keys" Scalar 1..=1,
    Values "values" Scalar 1..=1,
    Properties "properties" Scalar 1..=1,
    PropertySize "propertySize" Scalar 2..=2,
    AnyProperty "apoc.any.property" Scalar 2..=2,
    StartNode "startNode" Scalar 1..=1,
    EndNode "endNode" Scalar 1..=1,
    Degree "degree" Scalar 1..=1,
    InDegree "inDegree" Scalar 1..=1,
    OutDegree "outDegree" Scalar 1..=1,
    Nodes "nodes" Scalar 1..=1,
    Relationships "relationships" Scalar 1..=1,
    Rels "rels" Scalar 1..=1,
    Length "length" Scalar 1..=1,
    // Lists and maps.
    Head "head" Scalar 1..=1,
    Last "last" Scalar 1..=1,
    Tail "tail" Scalar 1..=1,
    Size "size" Scalar 1..=1,
    CharLength "char_length" Scalar 1..=1,
    CharacterLength "character_length" Scalar 1..=1,
    Range "range" Scalar 2..=3,
    Reverse "reverse" Scalar 1..=1,
    Coalesce "coalesce" Scalar 1..=any,
    IsEmpty "isEmpty" Scalar 1..=1,
    ToSet "toSet" Scalar 1..=1,
    UniformSample "uniformSample" Volatile 2..=2,
    NullIf "nullIf" Scalar 2..=2,
    ValueType "valueType" Scalar 1..=1,
    Assert "assert" Scalar 1..=2,
    Exists "exists" Scalar 1..=1,
    // Conversions.
    ToInteger "toInteger" Scalar 1..=1,
    ToFloat "toFloat" Scalar 1..=1,
    ToString "toString" Scalar 1..=1,
    ToBoolean "toBoolean" Scalar 1..=1,
    ToIntegerOrNull "toIntegerOrNull" Scalar 1..=1,
    ToFloatOrNull "toFloatOrNull" Scalar 1..=1,
    ToStringOrNull "toStringOrNull" Scalar 1..=1,
    ToBooleanOrNull "toBooleanOrNull" Scalar 1..=1,
    ToIntegerList "toIntegerList" Scalar 1..=1,
    ToFloatList "toFloatList" Scalar 1..=1,
    ToStringList "toStringList" Scalar 1..=1,
    ToBooleanList "toBooleanList" Scalar 1..=1,
    ToByteString "toByteString" Scalar 1..=1,
    FromByteString "fromByteString" Scalar 1..=2,
    ToEnum "toEnum" Scalar 1..=2,
    // Strings.
    Substring "substring" Scalar 2..=3,
    Left "left" Scalar 2..=2,
    Right "right" Scalar 2..=2,
    Trim "trim" Scalar 1..=1,
    LTrim "lTrim" Scalar 1..=2,
    RTrim "rTrim" Scalar 1..=2,
    BTrim "bTrim" Scalar 1..=2,
    Split "split" Scalar 2..=2,
    Replace "replace" Scalar 3..=3,
    ToLower "toLower" Scalar 1..=1,
    ToUpper "toUpper" Scalar 1..=1,
    Lower "lower" Scalar 1..=1,
    Upper "upper" Scalar 1..=1,
    Contains "contains" Scalar 2..=2,
    StartsWith "startsWith" Scalar 2..=2,
    EndsWith "endsWith" Scalar 2..=2,
    Normalize "normalize" Scalar 1..=2,
    // Numbers.
    Abs "abs" Scalar 1..=1,
    Ceil "ceil" Scalar 1..=1,
    Floor "floor" Scalar 1..=1,
    Round "round" Scalar 1..=3,
    Sign "sign" Scalar 1..=1,
    IsNaN "isNaN" Scalar 1..=1,
    Rand "rand" Volatile 0..=0,
    RandomUuid "randomUUID" Volatile 0..=0,
    E "e" Scalar 0..=0,
    Pi "pi" Scalar 0..=0,
    Exp "exp" Scalar 1..=1,
    Log "log" Scalar 1..=1,
    Log10 "log10" Scalar 1..=1,
    Sqrt "sqrt" Scalar 1..=1,
    Sin "sin" Scalar 1..=1,
    Cos "cos" Scalar 1..=1,
    Tan "tan" Scalar 1..=1,
    Cot "cot" Scalar 1..=1,
    Asin "asin" Scalar 1..=1,
    Acos "acos" Scalar 1..=1,
    Atan "atan" Scalar 1..=1,
    Atan2 "atan2" Scalar 2..=2,
    Degrees "degrees" Scalar 1..=1,
    Radians "radians" Scalar 1..=1,
    Haversin "haversin" Scalar 1..=1,
    Sinh "sinh" Scalar 1..=1,
    Cosh "cosh" Scalar 1..=1,
    Tanh "tanh" Scalar 1..=1,
    Coth "coth" Scalar 1..=1,
    // Temporal values.
    Date "date" Volatile 0..=1,
    DateTransaction "date.transaction" Volatile 0..=1,
    DateStatement "date.statement" Volatile 0..=1,
    DateRealtime "date.realtime" Volatile 0..=1,
    DateTruncate "date.truncate" Volatile 1..=3,
    Time "time" Volatile 0..=1,
    TimeTransaction "time.transaction" Volatile 0..=1,
    TimeStatement "time.statement" Volatile 0..=1,
    TimeRealtime "time.realtime" Volatile 0..=1,
    TimeTruncate "time.truncate" Volatile 1..=3,
    LocalTime "localtime" Volatile 0..=1,
    LocalTimeTransaction "localtime.transaction" Volatile 0..=1,
    LocalTimeStatement "localtime.statement" Volatile 0..=1,
    LocalTimeRealtime "localtime.realtime" Volatile 0..=1,
    LocalTimeTruncate "localtime.truncate" Volatile 1..=3,
    DateTime "datetime" Volatile 0..=1,
    DateTimeTransaction "datetime.transaction" Volatile 0..=1,
    DateTimeStatement "datetime.statement" Volatile 0..=1,
    DateTimeRealtime "datetime.realtime" Volatile 0..=1,
    DateTimeTruncate "datetime.truncate" Volatile 1..=3,
    DateTimeFromEpoch "datetime.fromepoch" Scalar 2..=2,
    DateTimeFromEpochMillis "datetime.fromepochmillis" Scalar 1..=1,
    LocalDateTime "localdatetime" Volatile 0..=1,
    LocalDateTimeTransaction "localdatetime.transaction" Volatile 0..=1,
    LocalDateTimeStatement "localdatetime.statement" Volatile 0..=1,
    LocalDateTimeRealtime "localdatetime.realtime" Volatile 0..=1,
    LocalDateTimeTruncate "localdatetime.truncate" Volatile 1..=3,
    Duration "duration" Scalar 1..=1,
    DurationBetween "duration.between" Scalar 2..=2,
    DurationInMonths "duration.inMonths" Scalar 2..=2,
    DurationInDays "duration.inDays" Scalar 2..=2,
    DurationInSeconds "duration.inSeconds" Scalar 2..=2,
    Timestamp "timestamp" Volatile 0..=1,
    // Points.
    Point "point" Scalar 1..=1,
    PointDistance "point.distance" Scalar 2..=2,
    PointWithinBBox "point.withinBBox" Scalar 3..=3,
    Distance "distance" Scalar 2..=2,
    // Files.
    LineNumber "linenumber" Scalar 0..=0,
    File "file" Scalar 0..=0,
    // Session and counters.
    Counter "counter" Volatile 2..=3,
    GetHopsCounter "getHopsCounter" Volatile 0..=0,
    Username "username" Scalar 0..=0,
    Roles "roles" Scalar 0..=1,
}

impl Function {
    /// The function of that name, in any case.
    pub fn find(name: &str) -> Option<Function> {
        Function::ALL
            .iter()
            .copied()
            .find(|function| function.name().eq_ignore_ascii_case(name))
    }

    /// True for `count`, `sum` and their kin.
    pub fn is_aggregate(self) -> bool {
        self.kind() == FunctionKind::Aggregate
    }

    /// The name nearest to `name`, if one is near enough to be meant.
    pub fn similar(name: &str) -> Option<&'static str> {
        crate::suggest::nearest(name, Function::ALL.iter().map(|function| function.name()))
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Function::find("TOINTEGER"), Some(Function::ToInteger));
        assert_eq!(
            Function::find("Date.Truncate"),
            Some(Function::DateTruncate)
        );
        assert_eq!(Function::find("toIntegr"), None);
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_near_one() {
        assert_eq!(Function::similar("toIntegr"), Some("toInteger"));
        assert_eq!(Function::similar("completely_different"), None);
    }

    #[test]
    fn no_two_functions_have_the_same_name() {
        for (at, function) in Function::ALL.iter().enumerate() {
            assert_eq!(Function::find(function.name()), Some(Function::ALL[at]));
        }
    }

    #[test]
    fn arities_are_ranges() {
        for function in Function::ALL {
            let (min, max) = function.arity();
            assert!(min <= max, "{function}");
        }
    }
}
