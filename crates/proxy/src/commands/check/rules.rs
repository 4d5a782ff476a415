//! The plain numbers of a dialect, in an operator's words.

use std::time::Duration;

use orepass_stratum::dialect::{ExtranonceTime, OpenJobs, Rules};

/// A title and what stands behind it, line by line. Titles may repeat themselves.
pub(super) fn lines(rules: &Rules) -> Vec<(&'static str, String)> {
    let OpenJobs { count, linger } = rules.open;
    let of = match linger {
        None => "the present block".to_owned(),
        Some(Duration::MAX) => "each block".to_owned(),
        Some(linger) => format!("the present block, and of those before for {}", span(linger)),
    };
    let jobs = format!("shares are taken for the newest {count} of {of}");
    let pace = rules.pace.map_or_else(
        || "shares go to the pool as they come".to_owned(),
        |pace| {
            let (shares, bytes) = (pace.submits, pace.bytes);
            format!("at most {shares} shares or {bytes} bytes wait for the pool's answers")
        },
    );
    let extranonce = match rules.hello {
        ExtranonceTime::InSubscribed => "in the answer to their subscribe",
        ExtranonceTime::AfterAuthorize => "after they have authorized",
    };
    let target = if rules.target_in_notify { "in each job" } else { "before the job it is for" };
    let mut lines = vec![
        ("jobs", jobs),
        ("pace", pace),
        ("order", format!("rigs are told their extranonce {extranonce}, their target {target}")),
    ];
    if let Some(within) = rules.target_behind_notify {
        let text = format!("the pool may tell a job's target behind it, within {}", span(within));
        lines.push(("order", text));
    }
    lines
}

fn span(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use orepass_aion::Aion;
    use orepass_hstratum::Hstratum;
    use orepass_stratum::dialect::{Dialect, Pace};

    use super::*;

    #[test]
    fn rules_are_told_in_words() {
        let text =
            |rules: &Rules| lines(rules).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        let plain = Hstratum::new(orepass_hstratum::Options::default()).rules();
        let before = "rigs are told their extranonce in the answer to their subscribe, their target \
                      before the job it is for";
        let none = "shares are taken for the newest 6 of the present block";
        assert_eq!(text(&plain), [none, "shares go to the pool as they come", before]);
        let rules = Rules {
            open: OpenJobs { count: 4, linger: Some(Duration::from_secs(20)) },
            pace: Some(Pace { bytes: 9600, submits: 3 }),
            target_in_notify: true,
            target_behind_notify: Some(Duration::from_millis(5)),
            hello: ExtranonceTime::AfterAuthorize,
            ..plain
        };
        let told = [
            "shares are taken for the newest 4 of the present block, and of those before for 20 s",
            "at most 3 shares or 9600 bytes wait for the pool's answers",
            "rigs are told their extranonce after they have authorized, their target in each job",
            "the pool may tell a job's target behind it, within 5 ms",
        ];
        assert_eq!(text(&rules), told);
        let aion = text(&Aion::new(orepass_aion::Options::default()).rules());
        assert_eq!((aion[0].ends_with("newest 8 of each block"), aion.len()), (true, 4));
    }
}
