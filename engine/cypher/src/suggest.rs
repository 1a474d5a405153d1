//! "Did you mean": the nearest of several names.

/// The candidate nearest to `name` without regard to case, if it is near enough to be what was meant: within a third of the
/// longer one's length (an exchange of two neighbours counts as one change).
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::osa_distance(&wanted, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|&(distance, candidate)| {
            distance * 3 <= wanted.chars().count().max(candidate.chars().count())
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The hint text for [`nearest`].
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(
            nearest("MTACH", ["MATCH", "MERGE", "RETURN"]),
            Some("MATCH")
        );
        assert_eq!(nearest("retrun", ["MATCH", "RETURN"]), Some("RETURN"));
        assert_eq!(nearest("x", ["MATCH"]), None);
        assert_eq!(
            did_you_mean("nmae", ["name"]).as_deref(),
            Some("did you mean `name`?")
        );
    }
}
