//! What a submission may not say: the compiler would let it read other files, write machine code, or talk to the grader.
//!
//! Words are looked for where they mean something, not in comments or strings: the source is taken apart into tokens. A
//! student's file is part of memory management, which needs nothing but numbers, frames, pages and regions. So it is told
//! what may be named, and all else is reported.

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

/// What no attribute may say.
const ATTRIBUTES: [&str; 9] = [
    "export_name",
    "global_allocator",
    "link",
    "link_name",
    "link_section",
    "macro_export",
    "no_mangle",
    "panic_handler",
    "path",
];

/// Other crates through which the machine can be reached.
const CRATES: [&str; 6] = ["linked_list_allocator", "multiboot2", "rustc_demangle", "spin", "uart_16550", "x86"];

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

/// Returns what `text` says and may not. What is no Rust at all is left to the compiler's words.
pub fn findings(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Ok(tokens) = text.parse::<TokenStream>() {
        scan(tokens, &mut findings);
    }
    findings
}

fn scan(tokens: TokenStream, findings: &mut Vec<Finding>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at + 1..];
        match token {
            // `pub(crate)` and its kin name a module only to say who may see something.
            TokenTree::Group(group) if is_visibility(group) && at > 0 && is_word(&tokens[at - 1], "pub") => {}
            TokenTree::Group(group) => scan(group.stream(), findings),
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
                if let Some(group) = group {
                    attribute(group.stream(), findings);
                }
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
    matches!(token, TokenTree::Ident(ident) if *ident == word)
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

/// Looks into `#[…]`, however deep: `cfg_attr` can hide what it says.
fn attribute(tokens: TokenStream, findings: &mut Vec<Finding>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => attribute(group.stream(), findings),
            TokenTree::Ident(ident) => {
                let word = ident.to_string();
                if ATTRIBUTES.contains(&word.as_str()) || word == "unsafe_code" {
                    findings.push(finding(ident.span(), format!("the attribute `{word}`")));
                }
            }
            _ => {}
        }
    }
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
            ("use core::include_str as read; const S: &str = read!(\"x\");", "another file"),
            ("const S: &str = core::include_str!(\"x\");", "another file"),
            ("#[doc = include_str!(\"x\")] fn f() {}", "another file"),
            ("const S: &str = env!(\"PATH\");", "surroundings"),
            ("fn f() { core::arch::asm!(\"hlt\") }", "machine code"),
            ("#[path = \"/etc/x.rs\"] mod x;", "the attribute `path`"),
            ("#[cfg_attr(all(), path = \"x.rs\")] mod x;", "the attribute `path`"),
            ("#![allow(unsafe_code)]", "the attribute `unsafe_code`"),
            ("fn f() { crate::system::console::control!(\"end pass\") }", "`crate::system`"),
            ("use crate::{addr, arch::x86::exit};", "`crate::arch`"),
            ("use crate as k;", "by another name"),
            ("use crate::*;", "`crate::*`"),
            ("use super::super::arch;", "`super` twice"),
            ("use super::{super::arch};", "`super` twice"),
            ("fn f() { ::x86::io::outb(1, 2) }", "`x86` reaches"),
            ("extern \"C\" { fn g(); }", "`extern`"),
            ("#[unsafe(no_mangle)] fn memcpy() {}", "the attribute `no_mangle`"),
            ("macro_rules! m { ($c:tt) => { $c::exit::end() } } m!(crate);", "`macro_rules`"),
            ("m!(crate);", "by another name"),
            ("m!(super super);", "`super` without a name"),
            ("struct S(pub (crate::exit::Verdict));", "`crate::exit`"),
            ("fn f() { control!(\"end pass\") }", "the grader's channel"),
        ] {
            let what = first(text).unwrap_or_default();
            assert!(what.contains(words), "{text}: {what:?}");
        }
    }

    #[test]
    fn a_finding_names_its_line() {
        assert_eq!(findings("\n\nfn f() { unsafe {} }")[0].line, 3);
    }
}
