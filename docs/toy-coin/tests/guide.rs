//! The guide leads to every file of this coin, and to none that is not there.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::fs;
use std::path::Path;

#[test]
fn the_guide_has_every_file() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = include_str!("../../add-a-coin.md");
    let links = guide.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("https://")) {
        assert!(here.join("..").join(link).exists(), "{link}");
    }
    for folder in ["src", "src/bin"] {
        for entry in fs::read_dir(here.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let link = format!("](toy-coin/{folder}/{name})");
            assert!(guide.contains(&link) || name == "bin", "{link}");
        }
    }
}
