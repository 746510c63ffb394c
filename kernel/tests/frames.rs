//! Frame pools: what the coursework asks of them, and what goes wrong in practice.
#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod seed;

use droste::addr::{Frame, FrameRange};
use droste::frames::{FramePool, FrameSource, FrameState, MarkError, ReleaseError, release_frames};
use droste::memory_map::{HOLE, KERNEL_POOL, PROCESS_POOL_START};
use proptest::prelude::*;

fn range(start: u32, end: u32) -> FrameRange {
    FrameRange::new(Frame::new(start), Frame::new(end))
}

fn storage(range: FrameRange) -> Vec<u32> {
    // Junk, as a recycled frame holds.
    vec![0xDEAD_BEEF; FramePool::storage_words(range.len())]
}

/// The reference machine's process pool: 28 MiB from 4 MiB on, without the hole.
const PROCESS_POOL: FrameRange = FrameRange::new(PROCESS_POOL_START, Frame::new(8192));

fn process_pool(storage: &mut Vec<u32>) -> FramePool<'_> {
    *storage = self::storage(PROCESS_POOL);
    let mut pool = FramePool::new(PROCESS_POOL, storage).unwrap();
    pool.mark_inaccessible(HOLE.start, HOLE.len()).unwrap();
    pool
}

/// Runs `scenario` on the process pool and demands that it leaves as many frames free as it found.
fn with_process_pool(scenario: impl FnOnce(&mut FramePool<'_>)) {
    let mut storage = Vec::new();
    let mut pool = process_pool(&mut storage);
    let before = pool.free_frames();
    scenario(&mut pool);
    assert_eq!(pool.free_frames(), before);
    assert!(pool.check());
}

#[test]
fn info_frames_are_counted_at_two_bits_a_frame() {
    let needed = [0, 1, 7168, 16384, 16385, 1 << 20].map(FramePool::needed_info_frames);
    assert_eq!(needed, [0, 1, 1, 1, 2, 64]);
}

#[test]
fn the_bookkeeping_of_both_reference_pools_fits_into_one_frame_each() {
    assert!(4 * FramePool::storage_words(KERNEL_POOL.len()) <= 4096);
    assert!(4 * FramePool::storage_words(PROCESS_POOL.len()) <= 4096);
    assert!(4 * FramePool::storage_words(8192) <= 4096);
}

#[test]
fn storage_that_is_too_short_is_refused() {
    let mut short = vec![0; FramePool::storage_words(512) - 1];
    assert!(FramePool::new(range(0, 512), &mut short).is_none());
}

#[test]
fn the_kernel_pool_yields_511_frames_after_its_info_frame_and_then_none() {
    let mut storage = storage(KERNEL_POOL);
    let mut pool = FramePool::new(KERNEL_POOL, &mut storage).unwrap();
    pool.mark_inaccessible(Frame::new(512), 1).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| pool.get_frame()).collect();
    assert_eq!(frames, (513..1024).map(Frame::new).collect::<Vec<_>>());
    assert_eq!(pool.get_frame(), None);
    assert!(pool.check());
}

#[test]
fn the_process_pool_yields_6912_frames_none_of_them_in_the_hole() {
    with_process_pool(|pool| {
        let frames: Vec<_> = std::iter::from_fn(|| pool.get_frame()).collect();
        assert_eq!(frames.len(), 6912);
        assert!(frames.iter().all(|frame| !HOLE.contains(*frame)));
        assert_eq!((pool.free_frames(), pool.get_frame(), pool.get_frames(2)), (0, None, None));
        frames.into_iter().for_each(|frame| pool.release_frames(frame).unwrap());
    });
}

#[test]
fn the_largest_run_lies_behind_the_hole_and_one_more_frame_is_refused() {
    with_process_pool(|pool| {
        assert_eq!(pool.longest_run(), 4096);
        assert_eq!(pool.get_frames(4097), None);
        assert_eq!(pool.get_frames(4096), Some(Frame::new(4096)));
        assert_eq!(pool.longest_run(), 3840 - 1024);
        pool.release_frames(Frame::new(4096)).unwrap();
    });
}

#[test]
fn no_run_crosses_the_hole() {
    with_process_pool(|pool| {
        // 2816 frames below the hole: one run of 2800 fits, the next has to go behind the hole.
        let low = pool.get_frames(2800).unwrap();
        let high = pool.get_frames(17).unwrap();
        assert_eq!((low, high), (Frame::new(1024), Frame::new(4096)));
        pool.release_frames(low).unwrap();
        pool.release_frames(high).unwrap();
    });
}

#[test]
fn the_last_run_of_the_pool_can_be_had() {
    with_process_pool(|pool| {
        let rest = [pool.get_frames(2816), pool.get_frames(4096 - 16)].map(Option::unwrap);
        let last = pool.get_frames(16).unwrap();
        assert_eq!((last, pool.free_frames()), (Frame::new(8176), 0));
        rest.into_iter().chain([last]).for_each(|first| pool.release_frames(first).unwrap());
    });
}

#[test]
fn zero_frames_are_refused() {
    with_process_pool(|pool| assert_eq!(pool.get_frames(0), None));
}

#[test]
fn more_frames_than_any_pool_has_are_refused() {
    with_process_pool(|pool| assert_eq!((pool.get_frames(7168), pool.get_frames(u32::MAX)), (None, None)));
}

#[test]
fn only_the_head_of_a_sequence_in_use_releases_it() {
    with_process_pool(|pool| {
        let first = pool.get_frames(40).unwrap();
        let (inner, behind) = (Frame::new(first.number() + 39), Frame::new(first.number() + 40));
        let before = pool.free_frames();
        assert_eq!(pool.release_frames(inner), Err(ReleaseError::Inner(inner)));
        assert_eq!(pool.release_frames(behind), Err(ReleaseError::Free(behind)));
        assert_eq!(pool.release_frames(HOLE.start), Err(ReleaseError::Inaccessible(HOLE.start)));
        for foreign in [0, 1023, 8192, 0xF_FFFF].map(Frame::new) {
            assert_eq!(pool.release_frames(foreign), Err(ReleaseError::Foreign(foreign)));
        }
        assert_eq!(pool.free_frames(), before);
        assert_eq!(pool.release_frames(first), Ok(()));
        assert_eq!(pool.release_frames(first), Err(ReleaseError::Free(first)));
    });
}

#[test]
fn adjacent_sequences_stay_apart() {
    with_process_pool(|pool| {
        let [a, b, c] = [3, 5, 1].map(|n| pool.get_frames(n).unwrap());
        assert_eq!((b.number(), c.number()), (a.number() + 3, a.number() + 8));
        let before = pool.free_frames();
        pool.release_frames(a).unwrap();
        assert_eq!(pool.free_frames(), before + 3);
        assert_eq!(pool.state(b), Some(FrameState::Head));
        pool.release_frames(b).unwrap();
        assert_eq!(pool.free_frames(), before + 8);
        pool.release_frames(c).unwrap();
    });
}

#[test]
fn a_sequence_that_ends_where_the_hole_starts_leaves_the_hole_alone() {
    with_process_pool(|pool| {
        let first = pool.get_frames(2816).unwrap();
        pool.release_frames(first).unwrap();
        assert_eq!(pool.state(HOLE.start), Some(FrameState::Inaccessible));
    });
}

#[test]
fn many_frames_go_back_together_in_any_order() {
    with_process_pool(|pool| {
        let mut frames: Vec<_> = (0..200).map(|_| pool.get_frame().unwrap()).collect();
        frames.sort_by_key(|frame| frame.number() * 37 % 101);
        assert_eq!(pool.release_each(frames.into_iter()), 0);
        assert_eq!(pool.get_frame(), Some(Frame::new(1024)));
        pool.release_frames(Frame::new(1024)).unwrap();
    });
}

#[test]
fn of_many_frames_those_that_cannot_go_back_are_refused_and_the_rest_go() {
    with_process_pool(|pool| {
        let (single, sequence) = (pool.get_frame().unwrap(), pool.get_frames(31).unwrap());
        assert_eq!((single.number(), sequence.number()), (1024, 1025));
        let inner = Frame::new(1030);
        assert_eq!(pool.release_each([single, inner, Frame::new(8)].into_iter()), 2);
        assert_eq!(pool.release_each([Frame::new(8)].into_iter()), 1);
        // The last words of the map end behind the pool.
        let behind = Frame::new(pool.range().end.number());
        assert_eq!(pool.release_each([behind].into_iter()), 1);
        assert_eq!((pool.state(single), pool.state(inner)), (Some(FrameState::Free), Some(FrameState::Inner)));
        // A sequence goes as a whole, among others too, also across words of the map.
        let long = pool.get_frames(100).unwrap();
        assert_eq!(pool.release_each([sequence, long].into_iter()), 0);
        assert_eq!(pool.release_each([].into_iter()), 0);
    });
}

#[test]
fn a_sequence_that_starts_at_the_end_of_a_word_goes_as_a_whole() {
    with_process_pool(|pool| {
        let singles: Vec<_> = (0..31).map(|_| pool.get_frame().unwrap()).collect();
        let (head, before) = (pool.get_frames(2).unwrap(), pool.free_frames());
        assert_eq!(head.number() % 32, 31);
        assert_eq!(pool.release_each([head].into_iter()), 0);
        assert_eq!(pool.free_frames(), before + 2);
        assert_eq!(pool.state(Frame::new(head.number() + 1)), Some(FrameState::Free));
        singles.into_iter().for_each(|frame| pool.release_frames(frame).unwrap());
    });
}

#[test]
fn inaccessible_frames_are_marked_by_absolute_number_and_all_or_none() {
    with_process_pool(|pool| {
        let taken = pool.get_frame().unwrap();
        let before = pool.free_frames();
        assert_eq!(pool.mark_inaccessible(Frame::new(1023), 2), Err(MarkError::Outside(Frame::new(1023))));
        assert_eq!(pool.mark_inaccessible(Frame::new(8191), 2), Err(MarkError::Outside(Frame::new(8192))));
        assert_eq!(pool.mark_inaccessible(Frame::new(8191), u32::MAX), Err(MarkError::Outside(Frame::new(8192))));
        assert_eq!(pool.mark_inaccessible(taken, 2), Err(MarkError::InUse(taken)));
        assert_eq!(pool.mark_inaccessible(HOLE.start, HOLE.len()), Ok(()));
        assert_eq!(pool.mark_inaccessible(Frame::new(2000), 0), Ok(()));
        assert_eq!(pool.free_frames(), before);
        pool.release_frames(taken).unwrap();
    });
}

#[test]
fn a_frame_finds_the_pool_that_it_came_from() {
    let (mut one, mut two) = (storage(range(100, 200)), storage(range(200, 300)));
    let mut low = FramePool::new(range(100, 200), &mut one).unwrap();
    let mut high = FramePool::new(range(200, 300), &mut two).unwrap();
    let (a, b) = (low.get_frames(10).unwrap(), high.get_frames(20).unwrap());
    release_frames(&mut [&mut low, &mut high], b).unwrap();
    assert_eq!((low.free_frames(), high.free_frames()), (90, 100));
    release_frames(&mut [&mut low, &mut high], a).unwrap();
    assert_eq!((low.free_frames(), high.free_frames()), (100, 100));
    let foreign = Frame::new(300);
    assert_eq!(release_frames(&mut [&mut low, &mut high], foreign), Err(ReleaseError::Foreign(foreign)));
}

#[test]
fn the_only_run_in_a_checkerboard_of_a_million_frames_is_found_at_its_end() {
    let all = range(0, 1 << 20);
    let mut storage = storage(all);
    let mut pool = FramePool::new(all, &mut storage).unwrap();
    while pool.get_frame().is_some() {}
    for frame in (0..(1 << 20) - 16).step_by(2) {
        pool.release_frames(Frame::new(frame)).unwrap();
    }
    assert_eq!(pool.get_frames(2), None);
    for frame in (1 << 20) - 16..1 << 20 {
        pool.release_frames(Frame::new(frame)).unwrap();
    }
    assert_eq!(pool.get_frames(17), None);
    assert_eq!(pool.get_frames(16), Some(Frame::new((1 << 20) - 16)));
    assert!(pool.check());
}

#[test]
fn a_run_that_lost_its_start_is_no_longer_than_what_is_left() {
    let all = range(0, 512);
    let mut storage = storage(all);
    let mut pool = FramePool::new(all, &mut storage).unwrap();
    while pool.get_frame().is_some() {}
    for frame in 250..268 {
        pool.release_frames(Frame::new(frame)).unwrap();
    }
    assert_eq!(pool.longest_run(), 18);
    // These were all that the block of frames up to 256 had.
    for frame in 250..256 {
        assert_eq!(pool.get_frame(), Some(Frame::new(frame)));
    }
    assert_eq!((pool.get_frames(13), pool.longest_run()), (None, 12));
    assert_eq!(pool.get_frames(12), Some(Frame::new(256)));
    assert!(pool.check());
}

/// Runs inside a word of the map, across the edges of one, and over several.
const RUNS: [std::ops::Range<u32>; 6] = [3..9, 31..33, 32..64, 60..70, 20..117, 0..512];

/// Leaves none but the frames of `run` free in a pool, without those for which `kept` is true. Shows that no run is as long
/// then, lets `release` give back the rest, and demands that the whole run is found.
fn found_again(run: &std::ops::Range<u32>, kept: impl Fn(u32) -> bool, release: impl FnOnce(&mut FramePool<'_>)) {
    let all = range(0, 512);
    let mut storage = storage(all);
    let mut pool = FramePool::new(all, &mut storage).unwrap();
    while pool.get_frame().is_some() {}
    for frame in run.clone().filter(|frame| !kept(*frame)) {
        pool.release_frames(Frame::new(frame)).unwrap();
    }
    let n = run.end - run.start;
    assert_eq!(pool.get_frames(n), None);
    release(&mut pool);
    assert!(pool.check(), "{run:?}");
    assert_eq!(pool.get_frames(n), Some(Frame::new(run.start)), "{run:?}");
}

#[test]
fn a_run_that_a_single_frame_completes_is_found_after_a_search_that_failed() {
    for run in RUNS {
        for last in run.clone() {
            found_again(&run, |frame| frame == last, |pool| pool.release_frames(Frame::new(last)).unwrap());
        }
    }
}

#[test]
fn a_run_that_comes_back_all_at_once_is_found_after_a_search_that_failed() {
    for run in RUNS {
        found_again(&run, |_| true, |pool| assert_eq!(pool.release_each(run.clone().map(Frame::new)), 0));
    }
}

/// A pool as naive as can be: what each frame is, in a list.
struct Model {
    start: u32,
    states: Vec<FrameState>,
}

impl Model {
    /// Says whether the pool may answer a request for `n` frames by `first`, and takes them if it has.
    fn allows(&mut self, n: u32, first: Option<Frame>) -> bool {
        let n = n as usize;
        let run = |first: &usize| self.states[*first..first + n].iter().all(|state| *state == FrameState::Free);
        let lowest = (0..(self.states.len() + 1).saturating_sub(n)).find(run).filter(|_| n > 0);
        let taken = first.map(|frame| (frame.number() - self.start) as usize);
        let allowed = match (taken, lowest) {
            (None, None) => true,
            (Some(taken), Some(lowest)) => taken == lowest || n > 1 && run(&taken),
            _ => false,
        };
        if let Some(first) = taken.filter(|_| allowed) {
            self.states[first..first + n].fill(FrameState::Inner);
            self.states[first] = FrameState::Head;
        }
        allowed
    }

    fn release(&mut self, frame: Frame) -> bool {
        let Some(first) = frame.number().checked_sub(self.start).map(|index| index as usize) else {
            return false;
        };
        if self.states.get(first) != Some(&FrameState::Head) {
            return false;
        }
        let inner = self.states[first + 1..].iter().take_while(|state| **state == FrameState::Inner).count();
        self.states[first..=first + inner].fill(FrameState::Free);
        true
    }

    fn mark(&mut self, first: u32, n: u32) -> bool {
        if n == 0 {
            return true;
        }
        let marked = first.checked_sub(self.start).and_then(|index| {
            let index = index as usize;
            self.states.get_mut(index..index + n as usize)
        });
        let in_use = |state: &FrameState| matches!(state, FrameState::Head | FrameState::Inner);
        match marked {
            Some(states) if !states.iter().any(in_use) => {
                states.fill(FrameState::Inaccessible);
                true
            }
            _ => false,
        }
    }

    fn free(&self) -> u32 {
        self.states.iter().filter(|state| **state == FrameState::Free).count() as u32
    }
}

#[derive(Clone, Debug)]
enum Step {
    Get(u32),
    Release(u32),
    ReleaseTaken(usize),
    Mark(u32, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Get(1)),
        6 => (0..80_u32).prop_map(Step::Get),
        1 => (0..700_u32).prop_map(Step::Get),
        2 => (90..1000_u32).prop_map(Step::Release),
        12 => any::<usize>().prop_map(Step::ReleaseTaken),
        1 => (90..1000_u32, 0..9_u32).prop_map(|(first, n)| Step::Mark(first, n)),
    ]
}

proptest! {
    // 200 runs of 300 steps: 60 000 operations.
    #![proptest_config(seed::config(200))]
    #[test]
    fn a_pool_does_what_a_naive_one_does(len in 1..900_u32, steps in prop::collection::vec(step(), 300)) {
        let range = range(100, 100 + len);
        let mut storage = storage(range);
        let mut pool = FramePool::new(range, &mut storage).unwrap();
        let mut model = Model { start: 100, states: vec![FrameState::Free; len as usize] };
        let mut taken = Vec::new();
        for step in steps {
            match step {
                Step::Get(n) => {
                    let first = pool.get_frames(n);
                    prop_assert!(model.allows(n, first), "{} frames: {:?}", n, first);
                    taken.extend(first);
                }
                Step::Release(frame) => {
                    let frame = Frame::new(frame);
                    prop_assert_eq!(pool.release_frames(frame).is_ok(), model.release(frame));
                    taken.retain(|other| *other != frame);
                }
                Step::ReleaseTaken(which) if !taken.is_empty() => {
                    let first = taken.swap_remove(which % taken.len());
                    prop_assert_eq!(pool.release_frames(first), Ok(()));
                    model.release(first);
                }
                Step::ReleaseTaken(_) => {}
                Step::Mark(first, n) => {
                    let marked = pool.mark_inaccessible(Frame::new(first), n).is_ok();
                    prop_assert_eq!(marked, model.mark(first, n));
                }
            }
            prop_assert_eq!(pool.free_frames(), model.free());
        }
        prop_assert!(pool.check());
        for index in 0..len {
            prop_assert_eq!(pool.state(Frame::new(100 + index)), Some(model.states[index as usize]));
        }
    }
}

#[test]
fn the_seed_of_the_environment_is_used_and_told() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_pool_does_what_a_naive_one_does", "--nocapture"])
        .env("SEED", "0x1234")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("repeat: SEED=0x00001234 cargo test -p droste"), "{said}");
}
