//! The nearest known name to one that is unknown.

/// `` unknown key `pasword`, did you mean `password`? ``, or the list of what is known where
/// nothing is near.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known) {
        return format!("unknown {what} `{name}`, did you mean `{near}`?");
    }
    match known {
        [] => format!("unknown {what} `{name}`, there are none here"),
        _ => format!("unknown {what} `{name}`, known here: {}", listed(known)),
    }
}

/// Names in backticks, with commas.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// A third of the letters may be wrong; more is another word.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_lowercase().replace('-', "_");
    let distance = |other: &str| strsim::osa_distance(&name, &other.replace('-', "_"));
    let (near, distance) =
        known.iter().map(|&other| (other, distance(other))).min_by_key(|&(_, d)| d)?;
    (distance <= name.len().max(near.len()).div_ceil(3)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["name", "password", "max_channels", "url"];
        assert_eq!(nearest("pasword", &known), Some("password"));
        assert_eq!(nearest("max-chanels", &known), Some("max_channels"));
        assert_eq!(nearest("URL", &known), Some("url"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
