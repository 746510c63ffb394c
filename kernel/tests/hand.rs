//! How the hand compares with other choices of the page that goes: the table in docs/src/swap.md is worked out here.
//!
//! What is compared are page faults of four pieces of work, each done here, on arrays that write down which page is
//! used. The hand is the kernel's own, on the software machine.
#![allow(clippy::unwrap_used)] // a helper that fails fails its test

#[allow(dead_code)] // scenarios need more of it
mod machine;

use droste::addr::{PAGE_SIZE, VirtAddr};
use droste::scenarios::{Machine, Random, on_drive};
use machine::SoftMachine;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Words of a page.
const WORDS: usize = PAGE_SIZE as usize / 4;

/// Words in memory. Whenever another page is used than before, that is written down.
struct Words {
    words: Vec<u32>,
    trace: Vec<u32>,
}

impl Words {
    fn new(pages: usize) -> Self {
        let mut random = Random::new(1);
        Self { words: (0..pages * WORDS).map(|_| random.word()).collect(), trace: Vec::new() }
    }

    fn word(&mut self, at: usize) -> &mut u32 {
        let page = (at / WORDS) as u32;
        if self.trace.last() != Some(&page) {
            self.trace.push(page);
        }
        &mut self.words[at]
    }

    fn swap(&mut self, one: usize, other: usize) {
        let word = *self.word(one);
        *self.word(one) = *self.word(other);
        *self.word(other) = word;
    }
}

/// Sorts the words from `start` up to `end` by exchange (Hoare's quicksort).
fn sort(words: &mut Words, start: usize, end: usize) {
    if end - start < 2 {
        return;
    }
    let pivot = *words.word(start + (end - start - 1) / 2);
    let (mut low, mut high) = (start, end - 1);
    loop {
        while *words.word(low) < pivot {
            low += 1;
        }
        while *words.word(high) > pivot {
            high -= 1;
        }
        if low >= high {
            break;
        }
        words.swap(low, high);
        (low, high) = (low + 1, high - 1);
    }
    sort(words, start, high + 1);
    sort(words, high + 1, end);
}

/// Multiplies two matrices of 64 by 64 numbers, four rows a page.
fn multiply(words: &mut Words) {
    const N: usize = 64;
    let at = |matrix: usize, row: usize, column: usize| (N * matrix + row) * WORDS / 4 + column;
    for (row, column) in (0..N * N).map(|number| (number / N, number % N)) {
        let mut sum = 0_u32;
        for inner in 0..N {
            let product = words.word(at(0, row, inner)).wrapping_mul(*words.word(at(1, inner, column)));
            sum = sum.wrapping_add(product);
        }
        *words.word(at(2, row, column)) = sum;
    }
}

/// Sifts primes: goes over all pages once for each prime, in larger and larger steps.
fn sift(words: &mut Words) {
    let end = words.words.len();
    words.words.fill(0);
    for number in (2..).take_while(|number| number * number < end) {
        if *words.word(number) == 0 {
            (number * number..end).step_by(number).for_each(|multiple| *words.word(multiple) = 1);
        }
    }
}

/// Looks words up in a sorted array by halves.
fn look_up(words: &mut Words) {
    words.words.sort_unstable();
    let mut random = Random::new(2);
    for _ in 0..5_000 {
        let (wanted, mut range) = (random.word(), 0..words.words.len());
        while !range.is_empty() {
            let middle = range.start + range.len() / 2;
            range = if *words.word(middle) < wanted { middle + 1..range.end } else { range.start..middle };
        }
    }
}

/// What it is called, how many pages it needs, and how it is done.
type Work = (&'static str, usize, fn(&mut Words));

/// What there is to know of a page in memory: when it came, when it was used last, when it will be used next.
struct Known {
    came: usize,
    used: usize,
    next: usize,
}

/// Counts the faults of a trace with `frames` frames, if of all pages the one with the lowest `worth` goes.
fn faults(trace: &[u32], frames: usize, worth: fn(&Known) -> usize) -> u32 {
    let mut next = vec![usize::MAX; trace.len()];
    let mut seen = BTreeMap::new();
    for (now, page) in trace.iter().enumerate().rev() {
        next[now] = seen.insert(*page, now).unwrap_or(usize::MAX);
    }
    let (mut memory, mut faults) = (BTreeMap::<u32, Known>::new(), 0);
    for (now, page) in trace.iter().enumerate() {
        if !memory.contains_key(page) {
            faults += 1;
            if memory.len() == frames {
                let goes = *memory.iter().min_by_key(|(_, known)| worth(known)).unwrap().0;
                memory.remove(&goes);
            }
        }
        let known = memory.entry(*page).or_insert(Known { came: now, used: now, next: 0 });
        (known.used, known.next) = (now, next[now]);
    }
    faults
}

/// Counts the faults of a trace on the software machine.
fn faults_of_the_hand(trace: &[u32], pages: usize, frames: usize) -> u32 {
    let mut machine = SoftMachine::start(32);
    let base = VirtAddr::new(0x4000_0000);
    let mut pool = machine.with(|memory| memory.register_pool(base, 4 << 20)).unwrap();
    let region = machine.with(|memory| pool.allocate(memory, pages as u32 * PAGE_SIZE)).unwrap().as_u32();
    let mut faults = 0;
    on_drive(&mut machine, frames as u32, pages as u32, |machine, _| {
        trace.iter().for_each(|page| _ = machine.read(VirtAddr::new(region + page * PAGE_SIZE)));
        faults = machine.faults();
        Ok(())
    })
    .unwrap();
    faults
}

#[test]
fn the_hand_compares_as_the_chapter_says() {
    if !Path::new(ROOT).join("instructor").exists() {
        return; // a tree for students, who may have no hand yet
    }
    let works: [Work; 4] = [
        ("sorting by exchange", 64, |words| sort(words, 0, words.words.len())),
        ("a product of matrices", 48, multiply),
        ("sifting primes", 64, sift),
        ("looking up by halves", 64, look_up),
    ];
    let mut table = String::from(
        "| work | pages | frames | the least faults | FIFO | LRU | the hand |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for (what, pages, work) in works {
        let mut words = Words::new(pages);
        work(&mut words);
        for frames in [pages / 2, pages / 4] {
            let least = faults(&words.trace, frames, |known| usize::MAX - known.next);
            let multiple = |faults: u32| format!("{:.2}", f64::from(faults) / f64::from(least));
            let fifo = multiple(faults(&words.trace, frames, |known| known.came));
            let lru = multiple(faults(&words.trace, frames, |known| known.used));
            let hand = multiple(faults_of_the_hand(&words.trace, pages, frames));
            let least = if least < 1000 { least.to_string() } else { format!("{} {:03}", least / 1000, least % 1000) };
            table += &format!("| {what} | {pages} | {frames} | {least} | {fifo} | {lru} | {hand} |\n");
        }
    }
    let page = fs::read_to_string(Path::new(ROOT).join("docs/src/swap.md")).unwrap();
    assert!(page.contains(&table), "docs/src/swap.md lacks this table:\n{table}");
}
