//! A frame pool of 4 GiB: single frames and runs, got and released in every state that makes it hard.

use super::samples::Samples;
use super::setup::{SEED, done};
use crate::addr::{Frame, FrameRange, PAGES_IN_SPACE};
use crate::frames::{FramePool, FrameState};
use crate::scenarios::{Failure, Outcome, Random, demand};
use crate::system::real_machine::RealMachine;
use alloc::vec;
use core::mem;

const SAMPLES: u32 = 1000;
const RUNS: [u32; 2] = [16, 256];

const RANGE: FrameRange = FrameRange::new(Frame::new(0), Frame::new(PAGES_IN_SPACE));

pub fn measure(_machine: &mut RealMachine) -> Outcome {
    let mut storage = vec![0; FramePool::storage_words(RANGE.len())];
    let mut random = Random::new(SEED);

    let mut pool = new_pool(&mut storage)?;
    runs(&mut pool, &mut random, "empty")?;
    let mut frames = vec![Frame::new(0); SAMPLES as usize];
    let [mut get, mut release] = [(); 2].map(|()| Samples::new(SAMPLES));
    for frame in &mut frames {
        *frame = done("frame had", get.take(&mut pool, |pool| pool.get_frames(1)).ok_or(()))?;
    }
    random.shuffle(&mut frames);
    for frame in frames {
        done("frame released", release.take(&mut pool, |pool| pool.release_frames(frame)))?;
    }
    get.report("frames-get-1-empty");
    release.report("frames-release-1-empty");

    let mut pool = new_pool(&mut storage)?;
    fill(&mut pool);
    release_where(&mut pool, |_| random.below(100) == 0)?;
    singles(&mut pool, &mut random, "99%")?;
    runs(&mut pool, &mut random, "99%")?;

    let mut pool = new_pool(&mut storage)?;
    fill(&mut pool);
    release_where(&mut pool, |_| random.below(100) < 50)?;
    singles(&mut pool, &mut random, "half")?;
    runs(&mut pool, &mut random, "half")?;
    singles(&mut pool, &mut random, "half-bounded")?;
    for each in [10, 100] {
        mixed(&mut pool, &mut random, each)?;
    }
    demand("frame pool's metadata agrees", true, pool.check())?;

    let mut pool = new_pool(&mut storage)?;
    fill(&mut pool);
    release_where(&mut pool, |frame| frame.number().is_multiple_of(2))?;
    runs(&mut pool, &mut random, "none")?;
    none_after(&mut pool, &mut random, 100)?;
    for run in RUNS {
        release_where(&mut pool, |frame| frame.number() >= RANGE.end.number() - run)?;
        at_the_end(&mut pool, run)?;
    }
    for changes in [1, 100] {
        searched(&mut pool, &mut random, RUNS[0], changes)?;
    }
    demand("frame pool's metadata agrees", true, pool.check())
}

/// Makes a pool that has all its frames, and knows nothing of runs.
fn new_pool(storage: &mut [u32]) -> Result<FramePool<'_>, Failure> {
    done("frame pool", FramePool::new(RANGE, storage).ok_or(()))
}

/// Takes every frame, one by one.
fn fill(pool: &mut FramePool<'_>) {
    while pool.get_frames(1).is_some() {}
}

/// Releases the single frames that `chosen` says.
fn release_where(pool: &mut FramePool<'_>, mut chosen: impl FnMut(Frame) -> bool) -> Outcome {
    for frame in pool.range().iter() {
        if pool.state(frame) == Some(FrameState::Head) && chosen(frame) {
            done("frame released", pool.release_frames(frame))?;
        }
    }
    Ok(())
}

/// Returns a random frame that was handed out.
fn random_used(pool: &FramePool<'_>, random: &mut Random) -> Frame {
    loop {
        let frame = Frame::new(random.below(pool.range().end.number()));
        if pool.state(frame) == Some(FrameState::Head) {
            return frame;
        }
    }
}

/// Releases a random frame and takes the lowest.
fn change(pool: &mut FramePool<'_>, random: &mut Random) -> Outcome {
    done("frame released", pool.release_frames(random_used(pool, random)))?;
    done("frame had", pool.get_frames(1).ok_or(())).map(drop)
}

fn singles(pool: &mut FramePool<'_>, random: &mut Random, state: &str) -> Outcome {
    let [mut get, mut release] = [(); 2].map(|()| Samples::new(SAMPLES));
    for _ in 0..SAMPLES {
        done("frame had", get.take(pool, |pool| pool.get_frames(1)).ok_or(()))?;
        let frame = random_used(pool, random);
        done("frame released", release.take(pool, |pool| pool.release_frames(frame)))?;
    }
    get.report(format_args!("frames-get-1-{state}"));
    release.report(format_args!("frames-release-1-{state}"));
    Ok(())
}

/// Gets a run, which may not be there, and releases it. Between two of them a single frame changes somewhere.
fn runs(pool: &mut FramePool<'_>, random: &mut Random, state: &str) -> Outcome {
    for run in RUNS {
        let [mut get, mut release, mut first] = [(); 3].map(|()| Samples::new(SAMPLES));
        for sample in 0..SAMPLES {
            let samples = if sample == 0 { &mut first } else { &mut get };
            if let Some(frame) = samples.take(pool, |pool| pool.get_frames(run)) {
                done("run released", release.take(pool, |pool| pool.release_frames(frame)))?;
            }
            if pool.free_frames() < pool.range().len() {
                change(pool, random)?;
            }
        }
        // Before it, every frame may have changed; the next length finds what this one has worked out.
        if run == RUNS[0] {
            first.report(format_args!("frames-get-{run}-{state}-first"));
        }
        get.report(format_args!("frames-get-{run}-{state}"));
        release.report(format_args!("frames-release-{run}-{state}"));
    }
    Ok(())
}

/// Gets single frames, and a run at each `each`-th request; the run before it goes back then, a random frame otherwise.
fn mixed(pool: &mut FramePool<'_>, random: &mut Random, each: u32) -> Outcome {
    let [mut all, mut runs] = [(); 2].map(|()| Samples::new(SAMPLES));
    let mut held = done("run had", pool.get_frames(RUNS[0]).ok_or(()))?;
    for request in 1..=SAMPLES {
        let back = if request.is_multiple_of(each) {
            let run = done("run had", runs.take(pool, |pool| pool.get_frames(RUNS[0])).ok_or(()))?;
            all.add(runs.last());
            mem::replace(&mut held, run)
        } else {
            done("frame had", all.take(pool, |pool| pool.get_frames(1)).ok_or(()))?;
            random_used(pool, random)
        };
        done("frames released", pool.release_frames(back))?;
    }
    done("run released", pool.release_frames(held))?;
    all.report(format_args!("frames-mixed-{each}"));
    runs.report(format_args!("frames-mixed-{each}-run"));
    Ok(())
}

/// Asks for a run that is not there, each time after so many single frames have changed somewhere.
fn none_after(pool: &mut FramePool<'_>, random: &mut Random, changes: u32) -> Outcome {
    // So few that the changes by themselves make no run.
    let samples = SAMPLES / 10;
    let mut get = Samples::new(samples);
    for _ in 0..samples {
        for _ in 0..changes {
            change(pool, random)?;
        }
        demand("a run", false, get.take(pool, |pool| pool.get_frames(RUNS[0])).is_some())?;
    }
    get.report(format_args!("frames-get-{}-none-after-{changes}", RUNS[0]));
    Ok(())
}

/// Gets the only run there is, which is as long as what is asked for, and releases it.
fn at_the_end(pool: &mut FramePool<'_>, run: u32) -> Outcome {
    let [mut get, mut release] = [(); 2].map(|()| Samples::new(SAMPLES));
    for _ in 0..SAMPLES {
        let frame = get.take(pool, |pool| pool.get_frames(run));
        let start = pool.range().end.number() - run;
        demand("the run", true, frame == Some(Frame::new(start)))?;
        done("run released", release.take(pool, |pool| pool.release_frames(Frame::new(start))))?;
    }
    get.report(format_args!("frames-get-{run}-end"));
    release.report(format_args!("frames-release-{run}-end"));
    Ok(())
}

/// Gets the only run there is of at least this length, at the end, and releases it. Before each, so many single frames
/// change somewhere, and the pool evicts the run that it has cached: so it has to search.
fn searched(pool: &mut FramePool<'_>, random: &mut Random, run: u32, changes: u32) -> Outcome {
    let mut get = Samples::new(SAMPLES);
    // To mark it again changes nothing but what the pool remembers.
    let inaccessible = done("frame had", pool.get_frames(1).ok_or(()))?;
    done("frame released", pool.release_frames(inaccessible))?;
    for _ in 0..SAMPLES {
        done("frame marked", pool.mark_inaccessible(inaccessible, 1))?;
        for _ in 0..changes {
            change(pool, random)?;
        }
        let frame = done("run had", get.take(pool, |pool| pool.get_frames(run)).ok_or(()))?;
        done("run released", pool.release_frames(frame))?;
    }
    get.report(format_args!("frames-get-{run}-end-searched-{changes}"));
    Ok(())
}
