//! Pages on a drive, as only the processor can touch them.

use super::threads::{WORK_PAGES, in_their_spaces};
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::arch::x86::{access, far_call};
use crate::paging::CurrentTable;
use crate::scenarios::{self, Machine, Outcome, demand, on_drive};
use crate::system::real_machine::RealMachine;
use core::sync::atomic::Ordering;

const START: VirtAddr = VirtAddr::new(0x40_0000);

fn page(number: u32) -> VirtAddr {
    VirtAddr::new(START.as_u32() + number * PAGE_SIZE)
}

/// Counts those of the first `pages` pages that are on the drive.
fn on_the_drive(machine: &mut RealMachine, pages: u32) -> u32 {
    let is_there = |number: &u32| {
        let entry = machine.with(|memory| memory.pte(Page::containing(page(*number))));
        entry.is_some_and(|entry| entry.slot().is_some())
    };
    (0..pages).filter(is_there).count() as u32
}

/// Lets faults send pages out and fetch others, and looks at every register and flag.
pub fn registers_survive_swaps(machine: &mut RealMachine) -> Outcome {
    const PAGES: u32 = 12;
    (0..2).for_each(|number| machine.write(page(number), 1));
    on_drive(machine, 2, PAGES, |machine, _| {
        for _ in 0..500 {
            // Twice: the first round may only take the A flags away.
            (0..2).for_each(|_| (2..PAGES).for_each(|number| machine.write(page(number), number)));
            demand("pages on the drive", 2, on_the_drive(machine, 2))?;
            let faults = machine.faults();
            demand("register that did not survive", 0, access::registers_after_faults(START))?;
            demand("faults", 2, machine.faults() - faults)?;
        }
        (2..PAGES).try_for_each(|number| demand("a page's word", number, machine.read(page(number))))
    })
}

/// Moves a word that lies in two pages to a place that lies in two others: an instruction that needs all four, and there are no
/// more frames.
pub fn one_instruction_all_frames(machine: &mut RealMachine) -> Outcome {
    machine.write(page(0), 0);
    let straddling = |number| VirtAddr::new(page(number).as_u32() - 2);
    on_drive(machine, 3, 16, |machine, _| {
        (0..12).for_each(|number| machine.write(page(number), number));
        for round in 0..50_u32 {
            let (from, to) = (straddling(1 + round % 5), straddling(7 + round % 5));
            machine.write(page(1 + round % 5), round);
            // Others come between, so that none of the four need be there.
            (0..2).for_each(|_| (0..12).step_by(3).for_each(|number| _ = machine.read(page(number))));
            let faults = machine.faults();
            access::move_word(from, to);
            demand("faults of one instruction: four at most", true, machine.faults() - faults <= 4)?;
            demand("the lower half, moved", round & 0xFFFF, machine.read(page(7 + round % 5)) & 0xFFFF)?;
        }
        Ok(())
    })
}

/// Carries out an instruction that needs eight pages, with eight frames. It lies where programs do: the grader lets no other code
/// run beside the kernel's.
pub fn one_instruction_eight_pages(machine: &mut RealMachine) -> Outcome {
    let start = VirtAddr::new(0x0800_0000);
    let page = |number| VirtAddr::new(start.as_u32() + number * PAGE_SIZE);
    machine.write(start, 0);
    on_drive(machine, far_call::PAGES - 1, 32, |machine, _| {
        for _ in 0..50 {
            let (faults, calls) = far_call::call(start, || {
                // Twice: the first round may only take the A flags away.
                (0..2).for_each(|_| (8..24).for_each(|number| _ = machine.read(page(number))));
                machine.faults()
            });
            demand("calls", 1, calls)?;
            demand("faults of one instruction, and a return beside it", far_call::PAGES, machine.faults() - faults)?;
        }
        Ok(())
    })
}

/// Lets four threads fill and check more than there are frames for, under the timer.
pub fn threads_on_a_drive(machine: &mut RealMachine) -> Outcome {
    let as_a_rule = WORK_PAGES.swap(64, Ordering::Relaxed);
    // Half of four times 64, beside directories, tables and records.
    let outcome = on_drive(machine, 16 + 128, 256, |machine, _| in_their_spaces(machine));
    WORK_PAGES.store(as_a_rule, Ordering::Relaxed);
    outcome
}

/// Does what the auditor wants to see, on the machine's own drive.
pub fn audited_drive(machine: &mut RealMachine) -> Outcome {
    let slots = |machine: &mut RealMachine, free: bool| {
        machine
            .with(|memory| memory.swap.as_ref().map_or(0, |swap| if free { swap.free_slots() } else { swap.slots() }))
    };
    demand("slots of a drive of 4 MiB", 1024, slots(machine, false))?;
    scenarios::audited_drive(machine)?;
    demand("slots that are free again, without the first", 1023, slots(machine, true))?;
    let writes = machine.with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.counts().writes));
    demand("pages written, most of the 24 more than once", true, writes >= 24)
}
