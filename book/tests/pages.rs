//! What the pages of the book say of the tree is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the README and every page of the book but the decisions, which speak of their own time.
fn pages() -> Vec<(String, String)> {
    let listed = fs::read_dir(Path::new(ROOT).join("docs/src")).expect("the book is there");
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pages = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/src/{name}"));
    pages.chain(["README.md".into()]).map(|page| (page.clone(), text(&page))).collect()
}

/// Returns the lines of `page` that stand in blocks of code, those of the `language` only if there is one.
fn code<'a>(page: &'a str, language: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    blocks
        .filter(move |block| language.is_none_or(|language| block.lines().next() == Some(language)))
        .flat_map(str::lines)
}

#[test]
fn what_is_to_be_made_is_a_target_of_the_makefile() {
    let makefiles = ["Makefile", "instructor/instructor.mk"].map(|file| fs::read_to_string(Path::new(ROOT).join(file)));
    let makefiles: String = makefiles.into_iter().filter_map(Result::ok).collect();
    let targets: BTreeSet<&str> = makefiles
        .lines()
        .filter_map(|line| Some(line.split_once(": ")?.0))
        .filter(|name| !name.contains(' '))
        .collect();
    for (name, page) in pages() {
        let commands = code(&page, None).filter_map(|line| line.trim_start_matches("$ ").strip_prefix("make "));
        for command in commands.filter(|_| !is_handout()) {
            let words = command.split_whitespace().take_while(|word| !word.starts_with(['#', '<']));
            let targets_named = words.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            for target in targets_named {
                assert!(targets.contains(target), "{name}: make {command}: there is no target {target}");
            }
        }
    }
}

#[test]
fn a_test_that_is_named_in_a_command_is_one() {
    let manifest = text("grader/tests.toml");
    let ids: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"')).collect();
    for (name, page) in pages() {
        for line in code(&page, None).filter(|line| line.trim_start_matches("$ ").starts_with("make ")) {
            let words = line.split(['\'', ' ']);
            let tests = words.filter_map(|word| {
                let of_a_group = word.strip_prefix("ONLY=").and_then(|test| test.split_once('/')).map(|(_, test)| test);
                of_a_group.or_else(|| word.strip_prefix("TEST=").or_else(|| word.strip_prefix("test=")))
            });
            for test in tests.filter(|test| *test != "NAME") {
                assert!(ids.iter().any(|id| id.contains(test)), "{name}: {line}: no test is named {test}");
            }
        }
    }
}

/// Names of tests stand between backticks, with their group.
#[test]
fn a_test_that_is_named_in_a_sentence_is_one() {
    let manifest = text("grader/tests.toml");
    // The comparison of the two lists stands in neither.
    let mut names = BTreeSet::from(["boot/list".to_owned()]);
    for block in manifest.split("[[test]]").skip(1) {
        let value =
            |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
        names.extend(value("group").zip(value("id")).map(|(group, id)| format!("{group}/{id}")));
    }
    let groups: BTreeSet<&str> = names.iter().filter_map(|name| Some(name.split_once('/')?.0)).collect();
    for (page, words) in pages() {
        for name in words.split('`').skip(1).step_by(2) {
            let Some((group, id)) = name.split_once('/') else { continue };
            if groups.contains(group) && !id.is_empty() && !id.contains(['.', ' ', '/', '{', '(']) {
                assert!(names.contains(name), "{page}: no test is named {name}");
            }
        }
    }
}

/// A handout has none of the instructor's targets, and the students' lines in the students' files.
fn is_handout() -> bool {
    !Path::new(ROOT).join("instructor").exists()
}

#[test]
fn a_line_that_is_to_be_taken_away_is_there_once() {
    if is_handout() {
        return;
    }
    for (name, page) in pages() {
        let mut file = String::new();
        for line in code(&page, Some("diff")).filter(|line| line.starts_with('-')) {
            match line.strip_prefix("--- ") {
                Some(of) => file = text(of),
                None => assert_eq!(file.matches(&line[1..]).count(), 1, "{name}: {line}"),
            }
        }
    }
}

#[test]
fn the_glossary_has_every_word_once_in_order_and_none_that_is_not_used() {
    let glossary = text("docs/src/glossary.md");
    let rows = glossary.lines().filter(|line| line.starts_with("| ")).skip(1);
    let words: Vec<&str> = rows.filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
    assert!(words.len() > 30, "{words:?}");
    for pair in words.windows(2) {
        assert!(pair[0].to_lowercase() < pair[1].to_lowercase(), "{} stands before {}", pair[0], pair[1]);
    }
    let others: String =
        pages().into_iter().filter(|(name, _)| !name.ends_with("glossary.md")).map(|(_, page)| page).collect();
    // Whatever line they stand in.
    let others = others.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    for word in words {
        assert!(others.contains(&word.to_lowercase()), "{word} is used nowhere else");
    }
}
