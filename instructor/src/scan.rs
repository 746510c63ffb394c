//! What a submission may not say: the compiler would let it read other files, write machine code, or talk to the grader.
//!
//! Words are looked for where they mean something, not in comments or strings: the source is taken apart into tokens. A
//! student's file is part of memory management, which needs nothing but numbers, frames, pages and regions. So it is told
//! what may be named, and all else is reported.
//!
//! This is the friendly first word, with a line for what is wrong. The wall is that a submission is built where there is
//! nothing to be found. Still, no text passes that the scan reads in another way than the compiler does: what cannot be
//! taken apart is a finding.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use std::fmt;

/// Modules of the kernel that memory management is made of, or told of.
const MODULES: [&str; 6] = ["addr", "events", "frames", "memory_map", "paging", "vm"];

/// Words that take something from outside the file, make machine code, or make names out of pieces. They are found with
/// an exclamation mark or without: a macro can be imported by another name.
const WORDS: [(&str, &str); 12] = [
    ("asm", "machine code"),
    ("concat_idents", "names that are not in the text"),
    ("env", "the surroundings of the build"),
    ("extern", "what is outside the kernel"),
    ("global_asm", "machine code"),
    ("include", "another file"),
    ("include_bytes", "another file"),
    ("include_str", "another file"),
    ("macro_rules", "names that are not in the text"),
    ("naked_asm", "machine code"),
    ("option_env", "the surroundings of the build"),
    ("unsafe", "what no compiler checks; all of that is in kernel/src/arch/x86"),
];

/// The macro that writes on the grader's channel.
const CHANNEL: &str = "control";

/// The attributes that memory management has a use for, or the first words of their names. All others are reported: some
/// read files while the compiler runs, or reach the linker, and a new compiler may bring more.
const ATTRIBUTES: [&str; 21] = [
    "allow",
    "cfg",
    "clippy",
    "cold",
    "default",
    "deny",
    "deprecated",
    "derive",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "must_use",
    "non_exhaustive",
    "repr",
    "rustfmt",
    "should_panic",
    "test",
    "track_caller",
    "warn",
];

/// The lint that keeps `unsafe` out; nobody switches it off.
const LINT: &str = "unsafe_code";

/// How deep brackets may be nested. The project's files are at ten.
const DEEPEST: usize = 64;

/// Other crates through which the machine can be reached.
const CRATES: [&str; 5] = ["linked_list_allocator", "multiboot2", "spin", "uart_16550", "x86"];

/// Something that may not be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The line.
    pub line: usize,
    /// What is there, and what is wrong with it.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Returns what `text` says and may not, in the order of the lines, and what the compiler could read in another way.
pub fn findings(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    // The compiler skips such a line. Here it would be taken apart, or hide that nothing is.
    if text.starts_with("#!") && !text.starts_with("#![") {
        findings.push(Finding { line: 1, what: "`#!` starts a script; a module starts without".into() });
    }
    // In a comment or a string it ends a line for some, and not for others.
    if let Some(at) = text.replace("\r\n", "  ").find('\r') {
        let line = 1 + text[..at].matches('\n').count();
        findings.push(Finding { line, what: "a carriage return without a line feed".into() });
    }
    match text.parse::<TokenStream>() {
        Ok(tokens) => scan(tokens, 0, &mut findings),
        Err(error) => findings.push(finding(
            error.span(),
            "not Rust from here on: a string, a comment or a bracket has no end, or no start".into(),
        )),
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn scan(tokens: TokenStream, depth: usize, findings: &mut Vec<Finding>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at + 1..];
        match token {
            // `pub(crate)` and its kin name a module only to say who may see something.
            TokenTree::Group(group) if is_visibility(group) && at > 0 && is_word(&tokens[at - 1], "pub") => {}
            TokenTree::Group(group) if depth == DEEPEST => {
                findings.push(finding(group.span_open(), format!("more than {DEEPEST} brackets in each other")));
            }
            TokenTree::Group(group) => scan(group.stream(), depth + 1, findings),
            TokenTree::Ident(ident) => {
                if let Some(what) = forbidden(&ident.to_string(), rest) {
                    findings.push(finding(ident.span(), what));
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let group = rest.iter().take(2).find_map(|token| match token {
                    TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group),
                    _ => None,
                });
                findings.extend(group.and_then(attribute));
            }
            _ => {}
        }
    }
}

/// Says whether `group`, behind `pub`, is `(crate)`, `(super)` or `(in PATH)`, and not the type of a tuple's field.
fn is_visibility(group: &Group) -> bool {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    group.delimiter() == Delimiter::Parenthesis
        && match tokens.as_slice() {
            [one] => is_word(one, "crate") || is_word(one, "super"),
            [first, ..] => is_word(first, "in"),
            [] => false,
        }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string().trim_start_matches("r#") == word)
}

fn finding(span: Span, what: String) -> Finding {
    Finding { line: span.start().line, what }
}

/// Says what is wrong with `word`, which `rest` follows.
fn forbidden(word: &str, rest: &[TokenTree]) -> Option<String> {
    let word = word.trim_start_matches("r#");
    if let Some((_, what)) = WORDS.iter().find(|(name, _)| *name == word) {
        return Some(format!("`{word}` brings in {what}"));
    }
    match word {
        "crate" => foreign_module(rest),
        "super" => foreign_parent(rest),
        CHANNEL if is_punct(rest.first(), '!') => Some(format!("`{word}!` writes on the grader's channel")),
        _ if CRATES.contains(&word) && is_path(rest) => {
            Some(format!("`{word}` reaches the machine past the seams of memory management"))
        }
        _ => None,
    }
}

/// Says which module `crate`, followed by `rest`, names that is none of memory management's.
fn foreign_module(rest: &[TokenTree]) -> Option<String> {
    let outside = |name: &str| {
        Some(format!("`crate::{name}`: memory management names only {} of the kernel", MODULES.join(", ")))
    };
    if !is_path(rest) {
        return Some("`crate` by another name".into());
    }
    match rest.get(2) {
        Some(TokenTree::Ident(name)) => {
            let name = name.to_string();
            if MODULES.contains(&name.as_str()) { None } else { outside(&name) }
        }
        Some(TokenTree::Group(group)) => first_words(group)
            .into_iter()
            .find_map(|name| if MODULES.contains(&name.as_str()) { None } else { outside(&name) }),
        _ => outside("*"),
    }
}

/// Returns the first word of each part of `{…, …}`.
fn first_words(group: &Group) -> Vec<String> {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let parts = tokens.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
    parts.filter_map(|part| part.first().map(ToString::to_string)).collect()
}

/// Says what is wrong with `super`, followed by `rest`, if it is more than the module around the file.
fn foreign_parent(rest: &[TokenTree]) -> Option<String> {
    let twice = || Some("`super` twice: name the module from `crate` on".into());
    match rest.get(2).filter(|_| is_path(rest)) {
        Some(TokenTree::Group(group)) if first_words(group).iter().any(|word| word == "super") => twice(),
        Some(TokenTree::Ident(ident)) if *ident == "super" => twice(),
        Some(TokenTree::Group(_) | TokenTree::Ident(_)) => None,
        Some(all) if is_punct(Some(all), '*') => None,
        _ => Some("`super` without a name behind it".into()),
    }
}

fn is_path(rest: &[TokenTree]) -> bool {
    is_punct(rest.first(), ':') && is_punct(rest.get(1), ':')
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Says what is wrong with the attribute `group`. What stands inside is looked at like all else, but for the lint's name.
fn attribute(group: &Group) -> Option<Finding> {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let name = tokens.first().map(TokenTree::to_string).unwrap_or_default();
    let name = name.trim_start_matches("r#");
    if !ATTRIBUTES.contains(&name) {
        let what = format!("the attribute `{name}`: memory management has a use for {}", ATTRIBUTES.join(", "));
        return Some(finding(group.span_open(), what));
    }
    let mut inner = tokens.into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    let names_lint = inner.any(|inner| inner.into_iter().any(|token| is_word(&token, LINT)));
    names_lint.then(|| finding(group.span_open(), format!("`{LINT}` in an attribute")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<String> {
        findings(text).first().map(|finding| finding.what.clone())
    }

    #[test]
    fn memory_management_may_name_what_it_is_made_of() {
        let text = "use crate::addr::{Frame, Page};\nuse crate::{events::EventKind, paging};\nuse super::map::Map;\n\
                    pub(crate) fn control(path: u32) -> u32 { path }\npub(in crate::vm) struct S(pub(super) u32);\n\
                    // unsafe { asm!() }\nconst TEXT: &str = \"unsafe include_str!\";\n#[cfg(test)]\nmod tests { use super::*; }\n";
        assert_eq!(findings(text), []);
    }

    #[test]
    fn what_reaches_further_is_found() {
        for (text, words) in [
            ("fn f() { unsafe { g() } }", "unsafe"),
            ("const S: &str = include_str!(\"/etc/passwd\");", "`include_str` brings in another file"),
            ("const S: &str = r#include_str!(\"x\");", "another file"),
            ("fn f() { core::arch::r#asm!(\"hlt\") }", "machine code"),
            ("fn f() { ::r#x86::io::outb(1, 2) }", "`x86` reaches"),
            ("use crate::r#system::console;", "`crate::r#system`"),
            ("use core::include_str as read; const S: &str = read!(\"x\");", "another file"),
            ("const S: &str = core::include_str!(\"x\");", "another file"),
            ("#[doc = include_str!(\"x\")] fn f() {}", "another file"),
            ("const S: &str = env!(\"PATH\");", "surroundings"),
            ("fn f() { core::arch::asm!(\"hlt\") }", "machine code"),
            ("#[path = \"/etc/x.rs\"] mod x;", "the attribute `path`"),
            ("#[cfg_attr(all(), path = \"x.rs\")] mod x;", "the attribute `cfg_attr`"),
            ("#[cfg_attr(all(), r#path = \"x.rs\")] mod x;", "the attribute `cfg_attr`"),
            ("#[r#path = \"x.rs\"] mod x;", "the attribute `path`"),
            ("#![debugger_visualizer(gdb_script_file = \"/dev/zero\")]", "the attribute `debugger_visualizer`"),
            ("#[::core::prelude::v1::global_allocator] static A: u32 = 0;", "the attribute `:`"),
            ("#![allow(unsafe_code)]", "`unsafe_code`"),
            ("#![allow(r#unsafe_code)]", "`unsafe_code`"),
            ("fn f() { crate::system::console::control!(\"end pass\") }", "`crate::system`"),
            ("use crate::{addr, arch::x86::exit};", "`crate::arch`"),
            ("use crate as k;", "by another name"),
            ("use crate::*;", "`crate::*`"),
            ("use super::super::arch;", "`super` twice"),
            ("use super::{super::arch};", "`super` twice"),
            ("fn f() { ::x86::io::outb(1, 2) }", "`x86` reaches"),
            ("extern \"C\" { fn g(); }", "`extern`"),
            ("#[no_mangle] fn memcpy() {}", "the attribute `no_mangle`"),
            ("#[unsafe(no_mangle)] fn memcpy() {}", "the attribute `unsafe`"),
            ("macro_rules! m { ($c:tt) => { $c::exit::end() } } m!(crate);", "`macro_rules`"),
            ("m!(crate);", "by another name"),
            ("m!(super super);", "`super` without a name"),
            ("struct S(pub (crate::exit::Verdict));", "`crate::exit`"),
            ("fn f() { control!(\"end pass\") }", "the grader's channel"),
            ("fn f() { r#control!(\"end pass\") }", "the grader's channel"),
        ] {
            let what = first(text).unwrap_or_default();
            assert!(what.contains(words), "{text}: {what:?}");
        }
    }

    #[test]
    fn a_text_that_the_compiler_reads_in_another_way_is_a_finding() {
        let hidden = "const S: &str = include_str!(\"x\");";
        for (text, words) in [
            // A quote in a line that the compiler skips opens a string for whoever does not.
            (format!("#!/\"\n{hidden}"), "`#!` starts a script"),
            (format!("\u{FEFF}#!x\n{hidden}"), "`#!` starts a script"),
            (format!("const T: &str = \"a\\\r  b\";\n{hidden}"), "a carriage return"),
            (format!("fn f() {{}}\n// \r{hidden}"), "a carriage return"),
            (format!("/* {hidden}"), "not Rust from here on"),
            ("fn f() {".into(), "not Rust from here on"),
        ] {
            let what = first(&text).unwrap_or_default();
            assert!(what.contains(words), "{text:?}: {what:?}");
        }
        assert_eq!(findings("fn f() {}\r\nfn g() {}\r\n"), []);
    }

    #[test]
    fn brackets_in_each_other_do_not_end_the_scan() {
        let nested = |n: usize| format!("const N: u32 = {}1{};", "(".repeat(n), ")".repeat(n));
        assert_eq!(findings(&nested(DEEPEST)), []);
        for n in [DEEPEST + 1, 500_000] {
            assert!(first(&nested(n)).is_some_and(|what| what.contains("more than 64 brackets")));
        }
        assert!(first(&"(".repeat(500_000)).is_some_and(|what| what.contains("not Rust")));
        assert!(first(&"#[a".repeat(300_000)).is_some_and(|what| what.contains("not Rust")));
    }

    #[test]
    fn the_projects_own_files_say_nothing_that_is_reported() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../kernel/src/");
        for file in ["frames/pool.rs", "paging/table.rs", "vm/metadata.rs", "vm/pool.rs", "vm/space.rs"] {
            assert_eq!(findings(&std::fs::read_to_string(format!("{root}{file}")).unwrap()), [], "{file}");
        }
    }

    #[test]
    fn a_finding_names_its_line() {
        assert_eq!(findings("\n\nfn f() { unsafe {} }")[0].line, 3);
    }
}
