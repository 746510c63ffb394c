//! What the chapters of the labs say of numbers, functions and failures is true.

use droste::addr::{ENTRIES, Frame, FrameRange, PAGE_SIZE, Page, VirtAddr};
use droste::frames::{FramePool, ReleaseError};
use droste::memory_map::{HOLE, POOL_PAGES, PROCESS_POOL_START};
use droste::paging::PageTable;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The process pool of the reference machine.
const PROCESS_POOL: FrameRange = FrameRange::new(PROCESS_POOL_START, Frame::new(8192));

fn lab(number: u32) -> String {
    let file = format!("docs/src/lab-{number}.md");
    fs::read_to_string(Path::new(ROOT).join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A tree that was handed out for one lab has not the chapters of later ones.
fn is_there(number: u32) -> bool {
    Path::new(ROOT).join(format!("docs/src/lab-{number}.md")).exists()
}

fn labs() -> impl Iterator<Item = (u32, String)> {
    (1..=8).take_while(|number| is_there(*number)).map(|n| (n, lab(n)))
}

/// Demands that `page` has each of `words`, whatever lines they stand in.
#[track_caller]
fn says(page: &str, words: &[&str]) {
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in words {
        assert!(page.contains(words), "the page does not say \"{words}\"");
    }
}

/// The pools of a handout are not written yet, so nothing can be asked of them there.
fn is_handout() -> bool {
    !Path::new(ROOT).join("instructor").exists()
}

/// Returns the text of all sources below a directory of the kernel, or of a file.
fn sources(directory: &str) -> String {
    let whole = Path::new(ROOT).join("kernel/src").join(directory);
    if whole.is_file() {
        return fs::read_to_string(whole).expect("a text");
    }
    let mut directories = vec![Path::new(ROOT).join("kernel/src").join(directory)];
    let mut text = String::new();
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let (inner, files): (Vec<PathBuf>, _) =
            entries.map(|entry| entry.expect("readable").path()).partition(|path| path.is_dir());
        directories.extend(inner);
        files.iter().for_each(|file| text += &fs::read_to_string(file).expect("a text"));
    }
    text
}

/// Returns the first cells of the rows of `page`'s table whose first cell is `heading`.
fn first_cells<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let table = page.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |"))).skip(2);
    let cells: Vec<_> =
        table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1)).collect();
    assert!(!cells.is_empty(), "there is no table of {heading}");
    cells
}

/// Returns what stands between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Returns what a lab's page says that a demand looks like: of a failure that is no verdict of the grader's.
fn symptoms(page: &str) -> impl Iterator<Item = &str> {
    let first = first_cells(page, "what you see").into_iter().filter_map(|cell| code(cell).next());
    first.filter(|symptom| symptom.chars().any(char::is_lowercase))
}

/// Returns what a demand is called that fails so.
fn demanded(symptom: &str) -> &str {
    symptom.split_once(": expected ").map_or(symptom, |(what, _)| what)
}

/// Returns the text of the files that are the students' in `lab`, or were before.
fn files_of(lab: u32) -> String {
    let list = fs::read_to_string(Path::new(ROOT).join("grader/handout.toml")).expect("a text");
    let files = list.split("[[file]]").skip(1).filter(|block| number(block, "lab").is_some_and(|own| own <= lab));
    let paths = files.map(|block| value(block, "path").expect("each file has a path"));
    paths.map(|path| fs::read_to_string(Path::new(ROOT).join(path)).expect("a text")).collect()
}

#[test]
fn the_functions_of_each_lab_are_in_the_files_that_are_the_students_by_then() {
    for (number, page) in labs() {
        let files = files_of(number);
        for name in first_cells(&page, "function").into_iter().flat_map(code) {
            let name = name.rsplit("::").next().unwrap_or(name);
            let is_there = ['(', '<'].iter().any(|next| files.contains(&format!("fn {name}{next}")));
            assert!(is_there, "lab {number}: none of its files has the function {name}");
        }
    }
}

#[test]
fn what_a_failure_is_said_to_look_like_is_what_a_test_says() {
    let tests = ["scenarios", "system"].map(sources).concat();
    for (number, page) in labs() {
        for what in symptoms(&page).map(demanded) {
            assert!(tests.contains(&format!("\"{what}\"")), "lab {number}: no test says \"{what}\"");
        }
    }
}

/// Returns a number as the pages write it: in groups of three.
fn spaced(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    if digits.len() > 4 { groups.join(" ") } else { digits }
}

#[test]
fn the_map_of_eight_frames_is_as_it_is_drawn() {
    if is_handout() {
        return;
    }
    type Step = (&'static str, fn(&mut FramePool<'_>) -> bool);
    let steps: [Step; 7] = [
        ("`new` |", |_| true),
        ("`get_frames(3)` | frame 1024", |pool| pool.get_frames(3) == Some(Frame::new(1024))),
        ("`get_frames(2)` | frame 1027", |pool| pool.get_frames(2) == Some(Frame::new(1027))),
        ("`release_frames(1025)` | refused: inner", |pool| {
            pool.release_frames(Frame::new(1025)) == Err(ReleaseError::Inner(Frame::new(1025)))
        }),
        ("`release_frames(1024)` | three frames", |pool| pool.release_frames(Frame::new(1024)).is_ok()),
        ("`get_frames(4)` | none: six are free, no four of them together", |pool| {
            (pool.get_frames(4), pool.free_frames()) == (None, 6)
        }),
        ("`mark_inaccessible(1031, 1)` |", |pool| pool.mark_inaccessible(Frame::new(1031), 1).is_ok()),
    ];
    for last in 0..steps.len() {
        let mut storage = vec![0; FramePool::storage_words(8)];
        let mut pool = FramePool::new(FrameRange::new(Frame::new(1024), Frame::new(1032)), &mut storage)
            .expect("there is enough storage");
        for (row, step) in &steps[..=last] {
            assert!(step(&mut pool), "{row}");
        }
        let word = |word: u32| format!("0x{:04X}_{:04X}", word >> 16, word & 0xFFFF);
        says(&lab(1), &[&format!("| {} | {} | {} |", steps[last].0, word(storage[0]), word(storage[1]))]);
    }
}

#[test]
fn a_scan_looks_at_as_many_frames_as_lab_1_says() {
    let mut in_use = vec![false; PROCESS_POOL.len() as usize];
    let hole = HOLE.start.number() - PROCESS_POOL.start.number()..HOLE.end.number() - PROCESS_POOL.start.number();
    let (mut looks, mut handed_out) = (0, 0);
    while let Some(first) = (0..PROCESS_POOL.len()).find(|frame| !hole.contains(frame) && !in_use[*frame as usize]) {
        in_use[first as usize] = true;
        looks += first + 1;
        handed_out += 1;
    }
    let without_hole = handed_out * (handed_out + 1) / 2;
    let (more, together) = (spaced(looks - without_hole), spaced(looks));
    says(
        &lab(1),
        &[
            &format!("{handed_out} can be had"),
            &format!("{handed_out} × {} / 2 = {}", handed_out + 1, spaced(without_hole)),
            &format!("{more} more, {together} together"),
            &format!("one by one takes {together} looks"),
        ],
    );
}

/// Returns a number as the prompt writes it.
fn hex(address: VirtAddr) -> String {
    let number = address.as_u32();
    format!("0x{:04X}_{:04X}", number >> 16, number & 0xFFFF)
}

#[test]
fn entries_are_seen_where_lab_2_says() {
    if is_handout() || !is_there(2) {
        return;
    }
    let page = lab(2);
    for address in [0x2000_5000, 0xFFC8_0014].map(VirtAddr::new) {
        let (pde, pte) = (PageTable::pde_address(address), PageTable::pte_address(address));
        let says_way = |words: &str| says(&page, &[words]);
        says_way(&format!(
            "{} is {:010b} {:010b}",
            hex(address),
            address.as_u32() >> 22,
            address.as_u32() >> 12 & 1023
        ));
        says_way(&format!("-> PDE at {}: ", hex(pde)));
        says_way(&format!("PTE at {}: ", hex(pte)));
    }
    let [pde, pte] = [PageTable::pde_address, PageTable::pte_address].map(|seen| hex(seen(VirtAddr::new(0x4000_1000))));
    says(&page, &[&format!("4 × 0x4_0001 = {pte}"), &format!("4 × 256 = {pde}")]);
    let unseen = hex(PageTable::pte_address(VirtAddr::new(0x5000_0000)));
    says(&page, &[&format!("PTE of 0x5000_0000 at {unseen}: not to be seen, there is no page table")]);
    let last = VirtAddr::new(0xFFFF_FFFC);
    assert_eq!([PageTable::pde_address(last), PageTable::pte_address(last)], [last; 2]);
}

#[test]
fn tables_and_pages_are_as_many_as_lab_2_says() {
    if !is_there(2) {
        return;
    }
    let pages = [0, 1, 1023, 1024, 0x8_0000];
    let tables: BTreeSet<u32> =
        pages.map(|number| Page::new(POOL_PAGES.start.number() + number).directory_index()).into();
    let [one, two, last] = Vec::from_iter(tables)[..] else { panic!("the page says three tables") };
    let frames = 1 + 3 + pages.len();
    let region = (3_u32 << 30) / PAGE_SIZE;
    says(
        &lab(2),
        &[
            &format!("share table {one}, the fourth is the first of table {two}, the fifth is in table {last}"),
            &format!("one directory, three tables and five pages: {frames} frames"),
            &format!("{} entries, most of them", spaced(region)),
            &format!("looks at {} directory entries", region / ENTRIES),
        ],
    );
}

/// A list of regions as lab 3 begins with it: first page and number of pages, in order.
#[test]
fn regions_come_and_go_as_lab_3_says() {
    if !is_there(3) {
        return;
    }
    let (page, mut regions) = (lab(3), Vec::<(u32, u32)>::new());
    // Pages to allocate, or where to release; and the first page that is returned.
    let steps = [(3, 0x40001), (1, 0x40004), (2, 0x40005), (0, 0x40004), (2, 0x40007), (1, 0x40004), (0, 0x40001)];
    for (pages, first) in steps {
        let command = if pages == 0 {
            regions.retain(|(start, _)| *start != first);
            format!("| `free 0x{first:x}000` |")
        } else {
            let mut from = 0x40001;
            let holes = regions.iter().take_while(|(start, length)| {
                let is_too_short = start - from < pages;
                from = if is_too_short { start + length } else { from };
                is_too_short
            });
            let index = holes.count();
            assert_eq!(from, first);
            regions.insert(index, (first, pages));
            format!("| `alloc 0x40000000 {}` | 0x{:04X}_{:04X}", pages * 4096, first >> 4, (first & 15) << 12)
        };
        let array: Vec<_> = regions.iter().map(|(start, pages)| format!("0x{start:05x}, {pages}")).collect();
        let array = array.join("; ");
        let is_there = page.lines().any(|row| row.starts_with(&command) && row.ends_with(&format!("| {array} |")));
        assert!(is_there, "{command} … | {array} |");
    }
}

#[test]
fn faults_are_as_many_as_lab_3_says() {
    if !is_there(3) {
        return;
    }
    let regions: u32 = (1..=49_u32).map(|number| (400 * number).div_ceil(PAGE_SIZE)).sum();
    let pages = (1 << 20) / PAGE_SIZE;
    let tests = sources("scenarios/standard.rs");
    assert!(tests.contains(&format!("demand(\"data faults\", {regions}, ")), "{regions}: a test asks for as many");
    says(
        &lab(3),
        &[
            &format!("each rounded up: {regions}. As many frames come back"),
            &format!("{pages} faults, one a page, and {} frames: the first", pages + 1),
        ],
    );
}

#[test]
fn address_spaces_take_what_lab_4_says() {
    if !is_there(4) {
        return;
    }
    let page = lab(4);
    let free = PROCESS_POOL.len() - HOLE.len() - 2;
    assert_eq!(free % 4, 2, "the page says that two are left over");
    says(&page, &[&format!("fit into {free} frames"), &format!("{} fit, with two frames left over", free / 4)]);
    // Three address spaces, three times, each with three tables beside that of its pool.
    let (spaces, tables) = (9, 3);
    for (leaves, lost) in [("page tables behind, 36 in all", spaces * (tables + 1)), ("for each of nine", spaces)] {
        let row = page.lines().find(|line| line.contains(leaves)).expect("a row of failures");
        let seen: Vec<u32> = row.split("0x").skip(1).map(hex_digits).collect();
        let [expected, seen] = seen[..] else { panic!("{row}") };
        assert_eq!(expected - seen, lost, "{row}");
    }
}

/// Reads the hexadecimal number with which `text` begins.
fn hex_digits(text: &str) -> u32 {
    let end = text.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(text.len());
    u32::from_str_radix(&text[..end], 16).expect("digits")
}

/// Returns the value of `key` in a block of a list: a string, or a number.
fn value<'a>(block: &'a str, key: &str) -> Option<&'a str> {
    let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
    Some(line.trim_matches('"'))
}

/// Returns the number that `key` has in a block of a list.
fn number(block: &str, key: &str) -> Option<u32> {
    value(block, key)?.parse().ok()
}

/// A test of the grader's list.
struct Test {
    group: String,
    id: String,
    /// Without one it is in each.
    lab: Option<u32>,
    points: u32,
    /// Whether its machine has a memory at its end.
    is_audited: bool,
}

fn tests() -> Vec<Test> {
    let list = fs::read_to_string(Path::new(ROOT).join("grader/tests.toml")).expect("a text");
    let blocks = |heading: &str| list.split("[[").filter_map(|block| block.strip_prefix(heading)).collect::<Vec<_>>();
    let groups: BTreeMap<&str, &str> =
        blocks("group]]").iter().filter_map(|block| Some((value(block, "id")?, *block))).collect();
    let test = |block: &str| {
        let group = value(block, "group")?;
        let number = |key: &str| number(block, key).or_else(|| number(groups[group], key));
        let is_audited = value(block, "dies").is_none() && value(block, "alone").is_none();
        let (lab, points) = (number("lab"), number("points").unwrap_or(1));
        Some(Test { group: group.into(), id: value(block, "id")?.into(), lab, points, is_audited })
    };
    blocks("test]]").into_iter().filter_map(test).collect()
}

/// Returns the lab of each test that has one, by its name without the group.
fn labs_of_tests() -> BTreeMap<String, u32> {
    tests().into_iter().filter_map(|test| Some((test.id, test.lab?))).collect()
}

/// Returns a number as a word, where the pages write it so.
fn word(number: usize) -> String {
    let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let tens = [(14, "fourteen"), (16, "sixteen"), (20, "twenty")];
    let word = words.get(number).or_else(|| Some(&tens.iter().find(|(ten, _)| *ten == number)?.1));
    word.map_or_else(|| number.to_string(), |word| (*word).into())
}

/// Returns a number as the word with which a sentence begins.
fn first_word(number: usize) -> String {
    let word = word(number);
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn tests_are_as_many_and_worth_as_much_as_the_chapters_say() {
    let tests = tests();
    let of = |lab: u32| tests.iter().filter(move |test| test.lab == Some(lab));
    let sum = |lab: u32, is_one: &dyn Fn(&&Test) -> bool| of(lab).filter(is_one).map(|test| test.points).sum::<u32>();
    let many = |lab: u32, group: &str| of(lab).filter(|test| test.group == group).count();
    // What a test of a group is worth in a lab, if all are worth the same.
    let each = |lab: u32, group: &str| {
        let points: BTreeSet<u32> = of(lab).filter(|test| test.group == group).map(|test| test.points).collect();
        assert_eq!(points.len(), 1, "lab {lab}, {group}");
        word(points.into_iter().next().unwrap_or_default() as usize)
    };
    let worth = |id: &str| tests.iter().find(|test| test.id == id).map_or(0, |test| test.points) as usize;
    let all = |lab: u32| sum(lab, &|_| true);

    let pages: BTreeMap<u32, String> = labs().collect();
    let page_says = |lab: u32, words: &[String]| {
        // A tree for one lab has no later chapters.
        if let Some(page) = pages.get(&lab) {
            says(page, &words.iter().map(String::as_str).collect::<Vec<_>>());
        }
    };
    let (first, of_process_pool) = (first_word(many(1, "frames")), word(many(2, "frames")));
    page_says(
        1,
        &[
            format!("the {} tests of pools alone", word(many(1, "frames"))),
            format!("{first} tests of `frames/` need nothing else, and are worth {} points", all(1)),
            format!("The other {of_process_pool} of that group come with lab 2"),
        ],
    );
    page_says(
        2,
        &[
            format!("this lab's {} tests and one of lab 4", word(many(2, "pages"))),
            format!("{} tests of `pages/` need page tables", first_word(many(2, "pages"))),
            format!("nothing that answers a fault, {} points each", each(2, "pages")),
            format!("{} tests of `frames/`,", first_word(many(2, "frames"))),
            format!("until a kernel starts, {} points each: {} in all", each(2, "frames"), all(2)),
        ],
    );
    let is_without_pools = |test: &&Test| test.group == "pages" || test.id.starts_with("standard-pages");
    let without_pools = sum(3, &is_without_pools);
    let of_given = of(3).filter(|test| test.group == "deaths" && test.points == 0).count();
    page_says(
        3,
        &[
            format!("{} points, in two steps", all(3)),
            format!(
                "{} tests of `pages/`, and of `standard/` the two of pages, {without_pools} points",
                word(many(3, "pages"))
            ),
            format!("the rest, {} points: groups", all(3) - without_pools),
            format!("{} tests of large regions in `spaces/`", word(many(3, "spaces"))),
            format!("{} of its {} tests only show what is given", first_word(of_given), many(3, "deaths")),
        ],
    );
    page_says(
        4,
        &[
            format!("{} tests of `spaces/` earn {} points each", first_word(many(4, "spaces")), each(4, "spaces")),
            format!("`pages/destroyed-with-all-its-pages` {}", word(worth("destroyed-with-all-its-pages"))),
            format!("`audit/audited-spaces` {}.", word(worth("audited-spaces"))),
            format!("`exhaustion/create-runs-out`, {} points,", word(worth("create-runs-out"))),
            format!("That is {} points.", all(4)),
        ],
    );
    page_says(5, &[format!("{} tests of `clones/`, without points", first_word(many(5, "clones")))]);
    assert_eq!(all(5), 0);
    if is_handout() {
        return;
    }
    let guide = fs::read_to_string(Path::new(ROOT).join("docs/src/solution-guide.md")).expect("a text");
    let begins = |lab: u32| first_word(many(lab, if lab < 3 { "frames" } else { "spaces" }));
    let of_others =
        [worth("destroyed-with-all-its-pages"), worth("audited-spaces"), worth("create-runs-out")].map(word);
    says(
        &guide,
        &[
            &format!("{} tests of {} points.", begins(1), each(1, "frames")),
            &format!("{} points are had by `pool.rs` alone", all(1)),
            &format!("{} tests of {} points, and", first_word(many(2, "pages")), each(2, "pages")),
            &format!("{of_process_pool} of frame pools of {},", each(2, "frames")),
            &format!("{without_pools} points for faults without pools, {} for the rest", all(3) - without_pools),
            &format!(
                "{} tests of {} points, one each of {} and {}.",
                begins(4),
                each(4, "spaces"),
                of_others.join(", "),
                each(4, "cost")
            ),
        ],
    );
    let instructors = fs::read_to_string(Path::new(ROOT).join("docs/src/instructors.md")).expect("a text");
    let points = |is_one: fn(&&Test) -> bool| tests.iter().filter(is_one).map(|test| test.points).sum::<u32>();
    let fifths = (5 * points(|test| test.is_audited) + points(|_| true) / 2) / points(|_| true);
    says(
        &instructors,
        &[
            &format!("has a memory and does not die, {} fifths of all points", word(fifths as usize)),
            &format!("the other {} are lab 3", word(many(3, "exhaustion"))),
        ],
    );
}

/// A demand stands in a function; where that is a test's own, it has the test's name.
#[test]
fn a_failure_is_seen_in_the_lab_whose_chapter_shows_it() {
    let (sources, labs_of) = (["scenarios", "system"].map(sources).concat(), labs_of_tests());
    let mut found = 0;
    for (number, page) in labs() {
        for what in symptoms(&page).map(demanded) {
            let quoted = format!("\"{what}\"");
            let places = sources.match_indices(&quoted).map(|(place, _)| place);
            let functions = places.filter_map(|place| {
                let begins = ["\nfn ", "\npub(super) fn ", "\npub fn "];
                let starts = begins.iter().filter_map(|begin| Some(sources[..place].rfind(begin)? + begin.len()));
                let function = &sources[starts.max()?..];
                Some(function[..function.find(['<', '('])?].replace('_', "-"))
            });
            // What a step says that several tests take may be seen in any lab.
            let labs: Option<BTreeSet<u32>> = functions.map(|name| labs_of.get(&name).copied()).collect();
            let Some(labs) = labs.filter(|labs| !labs.is_empty()) else { continue };
            assert!(labs.contains(&number), "lab {number}: {what} is seen in labs {labs:?}");
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}

/// A refusal is told in words that a test can say.
#[test]
fn what_is_expected_and_seen_are_values_that_a_test_prints() {
    let words = sources("scenarios/words.rs");
    for (number, page) in labs() {
        let symptoms = first_cells(&page, "what you see").into_iter().flat_map(code);
        for (what, values) in symptoms.filter_map(|symptom| symptom.split_once(": expected ")) {
            for value in values.split(", seen ") {
                let is_number = value.strip_prefix("0x").is_some_and(|hex| u32::from_str_radix(hex, 16).is_ok());
                assert!(
                    is_number || words.contains(&format!("\"{value}\"")),
                    "lab {number}: {what}: no test prints {value}"
                );
            }
        }
    }
}

#[test]
fn each_wrong_turn_of_the_guide_is_a_mutant_that_a_test_of_its_lab_sees() {
    if is_handout() {
        return;
    }
    let read = |file: &str| fs::read_to_string(Path::new(ROOT).join(file)).expect("a text");
    let lists =
        ["01-frames", "02-paging", "03-faults", "04-regions"].map(|list| read(&format!("grader/mutants/{list}.toml")));
    let mutants = lists.concat();
    let (guide, labs_of) = (read("docs/src/solution-guide.md"), labs_of_tests());
    let mut sections = guide.split("\n## Lab ");
    assert!(sections.next().is_some_and(|before| before.starts_with("# Solution guide")));
    for section in sections {
        let number = section.chars().next().and_then(|digit| digit.to_digit(10)).expect("a lab");
        let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
        for row in rows {
            let cells: Vec<&str> =
                row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
            let [wrong, name, test, _] = cells[..] else { panic!("lab {number}: {row}") };
            let mutant = mutants.split("[[mutant]]").find(|mutant| value(mutant, "name") == Some(name));
            let mutant = mutant.unwrap_or_else(|| panic!("lab {number}: no mutant is called {name}"));
            let says = mutant.contains(&format!("\"{}\"", wrong.replace('"', "\\\"")))
                || mutant.contains(&format!("'{wrong}'"));
            assert!(says, "lab {number}: {name} is another mistake than {wrong}");
            assert!(mutant.contains(&format!("\"{test}\" = ")), "lab {number}: {name} is not caught by {test}");
            let id = test.split_once('/').map_or(test, |(_, id)| id);
            assert_eq!(labs_of.get(id), Some(&number), "{test}");
        }
    }
}
