//! Frame pools: runs, sequences, and what is no sequence. Each has a pool of its own, as long as the reference
//! machine's process pool, with its bookkeeping on the stack: so they run before the machine has any memory to give.

use super::outcome::{Failure, Outcome, demand, done};
use crate::addr::{Frame, FrameRange};
use crate::frames::{FramePool, MarkError, ReleaseError, release_frames};
use crate::memory_map::{HOLE, PROCESS_POOL_START};

/// A scenario's name and what it does.
pub type FramePoolScenario = (&'static str, fn() -> Outcome);

/// Scenarios of pools alone, by name.
pub const FRAME_POOLS: [FramePoolScenario; 6] = [
    ("info-frames", info_frames),
    ("runs-of-frames", || in_process_pool(runs_of_frames)),
    ("released-sequences", || in_process_pool(released_sequences)),
    ("releases-that-cannot-be", || in_process_pool(releases_that_cannot_be)),
    ("pools-side-by-side", pools_side_by_side),
    ("the-map-of-a-pool", the_map_of_a_pool),
];

const PROCESS_POOL: FrameRange = FrameRange::new(PROCESS_POOL_START, Frame::new(8192));

/// Runs `scenario` in a pool like that of the reference machine, and demands that it leaves as many frames free as it found.
fn in_process_pool(scenario: fn(&mut FramePool<'_>) -> Outcome) -> Outcome {
    // Junk, as a recycled frame holds.
    let mut storage = [0xDEAD_BEEF; 1024];
    let mut pool = pool(PROCESS_POOL, &mut storage)?;
    done("hole marked", pool.mark_inaccessible(HOLE.start, HOLE.len()))?;
    demand("free frames", 6912, pool.free_frames())?;
    scenario(&mut pool)?;
    demand("free frames after the scenario", 6912, pool.free_frames())?;
    demand("pool's metadata agrees", true, pool.check())
}

#[track_caller]
fn pool(range: FrameRange, storage: &mut [u32]) -> Result<FramePool<'_>, Failure> {
    done("pool made", FramePool::new(range, storage).ok_or(()))
}

/// Returns the number of the first frame; 0, which is in no pool here, if there is none.
fn number(first: Option<Frame>) -> u32 {
    first.map_or(0, Frame::number)
}

#[track_caller]
fn release(pool: &mut FramePool<'_>, first: u32) -> Outcome {
    done("sequence released", pool.release_frames(Frame::new(first)))
}

fn info_frames() -> Outcome {
    for (frames, needed) in [(0, 0), (1, 1), (7168, 1), (16384, 1), (16385, 2), (1 << 20, 64)] {
        demand("info frames", needed, FramePool::needed_info_frames(frames))?;
    }
    Ok(())
}

/// Takes a sequence of `n` frames, wherever the pool finds it, and demands that it lies inside the pool, not in the hole.
#[track_caller]
fn take(pool: &mut FramePool<'_>, n: u32) -> Result<u32, Failure> {
    let first = number(pool.get_frames(n));
    let taken = FrameRange::new(Frame::new(first), Frame::new(first + n));
    demand("sequence lies in the pool", true, PROCESS_POOL.contains_range(taken))?;
    demand("sequence crosses the hole", false, HOLE.overlaps(taken))?;
    Ok(first)
}

fn runs_of_frames(pool: &mut FramePool<'_>) -> Outcome {
    demand("no frames", 0, number(pool.get_frames(0)))?;
    demand("a run longer than any", 0, number(pool.get_frames(4097)))?;
    demand("the longest run, the last of the pool", 4096, number(pool.get_frames(4096)))?;
    demand("a run longer than the other", 0, number(pool.get_frames(2817)))?;
    demand("the run before the hole", 1024, number(pool.get_frames(2816)))?;
    demand("a frame of a full pool", 0, number(pool.get_frame()))?;
    demand("free frames of a full pool", 0, pool.free_frames())?;
    release(pool, 4096)?;
    // Only behind the hole is anything free.
    let rest = take(pool, 4095)?;
    let one = take(pool, 1)?;
    demand("the last frame of all", true, [(4096, 8191), (4097, 4096)].contains(&(rest, one)))?;
    demand("a frame of a full pool", 0, number(pool.get_frames(1)))?;
    [one, 1024, rest].into_iter().try_for_each(|first| release(pool, first))?;
    let long = take(pool, 2817)?;
    demand("a run that is too long for before the hole", true, long >= HOLE.end.number())?;
    demand("the run before the hole", 1024, number(pool.get_frames(2816)))?;
    release(pool, long)?;
    release(pool, 1024)
}

fn released_sequences(pool: &mut FramePool<'_>) -> Outcome {
    // Neighbours stay apart, in whatever order they go.
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let lengths = [3, 40, 100];
        let firsts = [take(pool, 3)?, take(pool, 40)?, take(pool, 100)?];
        let mut free = pool.free_frames();
        for which in order {
            release(pool, firsts[which])?;
            free += lengths[which];
            demand("free frames after a release", free, pool.free_frames())?;
        }
        demand("all of the longest run", 4096, number(pool.get_frames(4096)))?;
        demand("all of the other", 1024, number(pool.get_frames(2816)))?;
        release(pool, 1024)?;
        release(pool, 4096)?;
    }
    // A frame between two sequences of one stays theirs to give back.
    let singles = [take(pool, 1)?, take(pool, 1)?, take(pool, 1)?];
    release(pool, singles[1])?;
    let again = take(pool, 1)?;
    [singles[0], singles[2], again].into_iter().try_for_each(|first| release(pool, first))
}

fn releases_that_cannot_be(pool: &mut FramePool<'_>) -> Outcome {
    let first = take(pool, 70)?;
    let single = take(pool, 1)?;
    release(pool, single)?;
    let free = pool.free_frames();
    for (what, frame, why) in [
        ("second frame of a sequence", first + 1, ReleaseError::Inner as fn(Frame) -> ReleaseError),
        ("last frame of a sequence", first + 69, ReleaseError::Inner),
        ("released twice", single, ReleaseError::Free),
        ("first frame of the hole", 3840, ReleaseError::Inaccessible),
        ("last frame of the hole", 4095, ReleaseError::Inaccessible),
        ("frame below the pool", 1023, ReleaseError::Foreign),
        ("frame above the pool", 8192, ReleaseError::Foreign),
        ("frame 0", 0, ReleaseError::Foreign),
    ] {
        let frame = Frame::new(frame);
        demand(what, Some(why(frame)), pool.release_frames(frame).err())?;
        demand("free frames", free, pool.free_frames())?;
    }
    let in_use = Frame::new(first + 69);
    demand("frame in use is marked", Some(MarkError::InUse(in_use)), pool.mark_inaccessible(in_use, 1).err())?;
    release(pool, first)
}

fn pools_side_by_side() -> Outcome {
    let (mut low_storage, mut high_storage) = ([0; 256], [0; 256]);
    let mut low = pool(FrameRange::new(Frame::new(8000), Frame::new(8192)), &mut low_storage)?;
    let mut high = pool(FrameRange::new(Frame::new(8192), Frame::new(8292)), &mut high_storage)?;
    demand("a sequence of the first", 8000, number(low.get_frames(5)))?;
    demand("a sequence of the second", 8192, number(high.get_frames(100)))?;
    let mut pools = [&mut low, &mut high];
    done("the owner is found", release_frames(&mut pools, Frame::new(8192)))?;
    done("the owner is found", release_frames(&mut pools, Frame::new(8000)))?;
    let foreign = release_frames(&mut pools, Frame::new(8292));
    demand("frame of no pool", Some(ReleaseError::Foreign(Frame::new(8292))), foreign.err())?;
    demand("free frames of both", 192 + 100, low.free_frames() + high.free_frames())
}

/// Whoever looks at the machine from outside finds the map by its address, and reads two bits a frame, in pairs of words.
fn the_map_of_a_pool() -> Outcome {
    const START: u32 = 8192;
    let mut storage = [0xDEAD_BEEF; 256];
    let mut pool = pool(FrameRange::new(Frame::new(START), Frame::new(START + 64)), &mut storage)?;
    demand("a sequence of three", START, number(pool.get_frames(3)))?;
    demand("a sequence of two", START + 3, number(pool.get_frames(2)))?;
    done("the last 31 frames marked", pool.mark_inaccessible(Frame::new(START + 33), 31))?;
    release(&mut pool, START)?;
    let map = pool.map_address().wrapping_sub(storage.as_ptr().addr()) / size_of::<u32>();
    let words = storage.get(map..).and_then(|map| map.first_chunk());
    let Some([free, head, last_free, last_head]) = words else {
        return demand("the map lies in the pool's storage", true, false);
    };
    // Free is 1 and 1, a head 0 and 1, an inner frame 0 and 0, inaccessible 1 and 0; a frame has the bit of its number.
    demand("map, first word of frames 0 to 31", 0xFFFF_FFE7, *free)?;
    demand("map, second word of frames 0 to 31", 0xFFFF_FFEF, *head)?;
    demand("map, first word of frames 32 to 63", 0xFFFF_FFFF, *last_free)?;
    demand("map, second word of frames 32 to 63", 0x0000_0001, *last_head)
}
