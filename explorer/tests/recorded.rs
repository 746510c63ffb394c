//! A recording is drawn as the machine that it was taken from.

use droste::addr::{ENTRIES, Frame, VirtAddr};
use droste::commands::PromptMachine;
use droste::paging::{Entry, MmuView};
use explorer::machine::Machine;
use explorer::picture::{Picture, table, way};
use explorer::recording::Replay;
use serde_json::{Value, json};

/// Events as the kernel numbers their kinds.
const ALLOCATE: u32 = 0;
const BACKED: u32 = 2;

const LINES: [&str; 3] = ["alloc 4000_0000 8M", "touch 4000_1000", "touch 4040_0000"];
const EVENTS: [[u32; 4]; 3] =
    [[ALLOCATE, 0x4000_1000, 2048, 0x402], [BACKED, 0x4000_1000, 0x407, 0x402], [BACKED, 0x4040_0000, 0x408, 0x402]];

/// Returns all that tells of the current address space, word by word.
fn words(machine: &Machine) -> Value {
    machine.with(|memory| {
        let root = memory.root();
        let outside = &memory.mmu.outside(root);
        let led_to = |frame: Frame, flags| {
            let entries = (0..ENTRIES - 2).map(move |index| outside.entry(frame, index));
            entries.filter(move |entry| entry.is_present() && (flags == 0 || entry.has(flags))).filter_map(Entry::frame)
        };
        let mut frames = vec![root];
        for table in led_to(root, 0) {
            frames.push(table);
            frames.extend(led_to(table, Entry::KEPT));
        }
        let words =
            |frame: Frame| (0..ENTRIES).map(move |at| json!([at, outside.entry(frame, at).bits()])).collect::<Vec<_>>();
        frames.into_iter().map(|frame| json!([frame.number(), words(frame)])).collect()
    })
}

/// Takes down a run of the software machine. Its books of frames are not in its memory: they are left out.
fn recorded(machine: &Machine, lines: &[&str]) -> Replay {
    let step = |event: Option<[u32; 4]>, said: &str| json!({"event": event, "root": Picture::new(machine).root_frame, "words": words(machine), "said": said});
    let mut steps = vec![step(None, "begun\n")];
    for (line, event) in lines.iter().zip(EVENTS) {
        machine.carry_out(line);
        steps.push(step(Some(event), &format!("{line}\n")));
    }
    let image = json!({"text": [256, 272], "rodata": [272, 280], "guard": 290});
    let recording =
        json!({"test": "a-test", "pool": [1024, 8192], "map": 0, "uses": 0, "layout": image, "steps": steps});
    Replay::new(&recording.to_string()).expect("it is one")
}

fn json_of(part: &impl serde::Serialize) -> Value {
    serde_json::to_value(part).expect("numbers and words")
}

#[test]
fn each_step_shows_what_the_machine_showed() {
    let machine = Machine::start();
    let mut replay = recorded(&machine, &LINES);
    assert_eq!(
        replay.steps().collect::<Vec<_>>(),
        ["allocate 0x4000_1000, 2048 pages", "backed 0x4000_1000 by frame 0x407", "backed 0x4040_0000 by frame 0x408"]
    );
    // Forwards, and backwards by starting again.
    for steps in [0, 1, 2, 3, 1, 3] {
        let machine = Machine::start();
        LINES[..steps].iter().for_each(|line| drop(machine.carry_out(line)));
        replay.go_to(steps);
        let (seen, there) = (replay.picture(), Picture::new(&machine));
        assert_eq!(json_of(&seen.pools), json_of(&there.pools), "{steps}");
        assert_eq!((seen.root, seen.faults), (there.root, there.faults), "{steps}");
        assert!(seen.tlb.is_none() && seen.damage.is_none());
        for index in [0, 256, 257, 1023] {
            assert_eq!(replay.table(index), table(&machine, index), "{steps}: {index}");
        }
        for address in [0x4000_1234, 0x4040_0000, 0x5000_0000].map(VirtAddr::new) {
            assert_eq!(json_of(&replay.way(address)), json_of(&way(&machine, address)), "{steps}");
        }
    }
    assert_eq!(replay.said(), format!("begun\n{}\n", LINES.join("\n")));
}

#[test]
fn a_recording_from_elsewhere_is_refused_in_words() {
    for text in [
        "",
        "{}",
        "[1]",
        r#"{"test":"t","pool":[0,0],"map":0,"uses":0,"layout":{"text":[0,0],"rodata":[0,0],"guard":0},"steps":[]}"#,
    ] {
        let refused = Replay::new(text).err();
        assert!(refused.is_some_and(|words| words.starts_with("this is no recording") || words.ends_with("no step")));
    }
}
