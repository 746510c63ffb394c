//! The page in a real browser. `make check-explorer` runs these, on the file that `make explore` has made.

mod page;

use page::{in_emulator, in_exercise, in_page, in_recording};
use serde_json::json;

/// The key that goes on to the next part of a page, and those of the arrows.
const TAB: &str = "\u{E004}";
const DOWN: &str = "\u{E015}";
const RIGHT: &str = "\u{E014}";

const ALLOCATED: &str = "#alloc%204000_0000%2064K";

#[test]
fn a_touch_changes_exactly_its_own_entries() {
    in_page(ALLOCATED, async |page| {
        let free = "return Number(document.querySelector('#counts dd').textContent)";
        let before = page.ask(free).await?.as_u64();
        page.line("touch 4000_1000 2").await?;
        let changed = "return [...document.querySelectorAll('.changed')].map((cell) => cell.parentElement.parentElement.id + \
                       cell.dataset.entry + cell.textContent)";
        assert_eq!(page.ask(changed).await?, json!(["table1d", "table2d"]));
        assert!(page.text("pools").await?.contains("region of 16 pages, 2 backed"));
        assert_eq!(page.ask(free).await?.as_u64().map(|free| free + 2), before);
        // Whoever comes to this state another way sees the same of its last step.
        page.press("Undo").await?;
        page.press("Redo").await?;
        assert_eq!(page.ask(changed).await?, json!(["table1d", "table2d"]));
        let fragment = page.fragment().await?;
        page.open(&fragment).await?;
        assert_eq!(page.ask(changed).await?, json!(["table1d", "table2d"]));
        Ok(())
    });
}

#[test]
fn the_legends_numbers_are_those_that_the_prompt_says() {
    in_page("#alloc%204000_0000%2064K;touch%204000_1000%209;space%20new", async |page| {
        page.line("frames").await?;
        let said = page.text("console").await?;
        let uses =
            page.ask("return [...document.querySelectorAll('#frame-uses li')].map((use) => use.textContent)").await?;
        let uses = uses.as_array().cloned().unwrap_or_default();
        assert_eq!(uses.len(), 6);
        for used in uses {
            let used = used.as_str().unwrap_or_default();
            assert!(said.contains(&format!("\n  {used}\n")), "{used} is not in {said}");
        }
        Ok(())
    });
}

#[test]
fn a_stale_entry_is_told_after_a_free_without_a_flush_and_not_otherwise() {
    let lines = "alloc%204000_0000%204K;write%204000_1000%207;free%204000_1000%20page;read%204000_1000";
    in_page(&format!("#{lines}"), async |page| {
        assert!(page.text("tlb-text").await?.ends_with("; 0 stale."));
        page.open("").await?;
        assert!(page.text("tlb-text").await?.ends_with("; 0 stale."));
        page.open(&format!("#break%20flush;{lines}")).await?;
        let told = page.text("tlb-text").await?;
        assert!(told.ends_with("1 stale. The last step went by a stale entry: 0x4000_1000."), "{told}");
        assert!(page.text("console").await?.ends_with("0x00000007\n"));
        assert!(page.text("tlb").await?.starts_with("0x4000_1000"));
        Ok(())
    });
}

#[test]
fn an_exercise_shows_the_students_own_mistake() {
    let lines = "alloc%204000_0000%204K;write%204000_1000%207;free%204000_1000%20page;read%204000_1000";
    in_exercise(&format!("#{lines}"), async |page| {
        let told = page.text("tlb-text").await?;
        assert!(told.ends_with("1 stale. The last step went by a stale entry: 0x4000_1000."), "{told}");
        // What is not written yet says so, and the page goes on.
        page.line("space new").await?;
        page.line("space destroy 2").await?;
        let said = page.text("console").await?;
        assert!(said.contains("to do: "), "{said}");
        page.press("Undo").await?;
        page.line("help").await?;
        assert!(page.text("console").await?.contains("mend"));
        Ok(())
    });
}

#[test]
fn undo_restores_all_and_redo_brings_it_back() {
    in_page(ALLOCATED, async |page| {
        let before = page.state().await?;
        page.line("touch 4000_1000 5").await?;
        page.line("space new").await?;
        let after = page.state().await?;
        assert_ne!(before, after);
        page.press("Undo").await?;
        page.press("Undo").await?;
        assert_eq!(page.state().await?, before);
        page.press("Redo").await?;
        page.press("Redo").await?;
        assert_eq!(page.state().await?, after);
        Ok(())
    });
}

#[test]
fn steps_are_played_from_the_first_to_the_last() {
    in_page("#alloc%204000_0000%2064K;touch%204000_1000;touch%204000_2000", async |page| {
        let end = page.state().await?;
        let played = "document.getElementById('play').click(); return document.getElementById('step-name').textContent";
        assert_eq!(page.ask(played).await?, json!("0 of 3: the prompt after boot"));
        page.wait_for("Play").await?;
        assert_eq!(page.text("step-name").await?, "3 of 3: touch 4000_2000");
        assert_eq!(page.state().await?, end);
        Ok(())
    });
}

#[test]
fn a_link_opens_at_its_state() {
    in_page("", async |page| {
        for line in ["alloc 2000_0000 8K", "touch 2000_1000", "read 2000_3000; %"] {
            page.line(line).await?;
        }
        let (state, fragment) = (page.state().await?, page.fragment().await?);
        page.open(&fragment).await?;
        assert_eq!(page.state().await?, state);
        assert_eq!(page.text("step-name").await?, "3 of 3: read 2000_3000; %");
        // What is no state's address is the first state.
        page.open("#%zz").await?;
        assert!(page.text("step-name").await?.starts_with("0 of 0"));
        Ok(())
    });
}

#[test]
fn a_refused_access_shows_the_kernels_report() {
    in_page(ALLOCATED, async |page| {
        page.line("read 4001_1000").await?;
        let said = page.text("console").await?;
        for words in
            ["illegal-access: kernel read of an absent page", "\nwhy    off by one: ", "\nwalk   CR3 p0x0040_2000"]
        {
            assert!(said.contains(words), "{words} is not in {said}");
        }
        Ok(())
    });
}

#[test]
fn a_kernel_that_panics_says_why_and_undo_goes_on() {
    in_page("#alloc%204000_0000%208M;break%20clear;touch%204040_0000", async |page| {
        page.line("free 4000_1000").await?;
        let said = page.text("console").await?;
        assert!(said.contains("were not handed out"), "{said}");
        assert_eq!(page.ask("return document.getElementById('line').disabled").await?, json!(true));
        page.press("Undo").await?;
        page.line("help").await?;
        assert!(page.text("console").await?.contains("mend"));
        Ok(())
    });
}

#[test]
fn every_state_to_look_at_shows_what_it_promises() {
    let promises = [
        ("A first touch", "acts", "entry at 0xFFFF_F404: p0x0040_8000"),
        ("One address", "console", "0x00000007\n"),
        ("Entry 1023", "entry-text", "makes the directory a page"),
        ("The second window", "acts", "clear the page at 0xFFFF_E000"),
        ("A clone", "acts", "copy the page at 0x4000_1000 to 0x"),
        ("One word past", "console", "why    off by one: "),
        ("A pointer", "console", "why    use after release: "),
        ("A flush", "tlb-text", "The last step went by a stale entry: 0x4000_1000."),
        ("A table", "acts", "left out: clearing the page at "),
        ("A page", "pools", "Backed, but in no region: 0x4000_2000"),
    ];
    in_page("", async |page| {
        assert_eq!(page.ask("return document.querySelectorAll('#stories a').length").await?, json!(promises.len()));
        for (number, (name, part, words)) in (1..).zip(promises) {
            let link = format!("#stories li:nth-child({number}) a");
            let told = page.ask(&format!("return document.querySelector('{link}').textContent")).await?;
            assert!(told.as_str().is_some_and(|told| told.starts_with(name)), "{told} is not {name}");
            page.click(&link).await?;
            let shown = page.text_with(part, words).await?;
            assert!(shown.contains(words), "{name}: {words} is not in {shown}");
        }
        Ok(())
    });
}

#[test]
fn a_walk_goes_from_entry_to_entry() {
    in_page("#alloc%204000_0000%2064K;touch%204000_1000", async |page| {
        page.press("walk to 0x4000_1000").await?;
        let way = "return [...document.querySelectorAll('.way')].map((cell) => cell.parentElement.parentElement.id + cell.dataset.entry)";
        for marked in [json!([]), json!(["directory256"]), json!(["directory256", "table1"])] {
            assert_eq!(page.ask(way).await?, marked);
            page.press("Next").await?;
        }
        let steps = page.text("walk-steps").await?;
        assert!(steps.contains("the byte is at p0x0040_7000, in frame 0x407"), "{steps}");
        Ok(())
    });
}

#[test]
fn entry_1023_shows_the_directory_as_a_table_and_as_a_page() {
    in_page("", async |page| {
        page.click("#directory [data-entry='1023']").await?;
        page.click("#table [data-entry='1023']").await?;
        let letters = "return ['directory', 'table'].map((id) => document.getElementById(id).textContent)";
        let letters = page.ask(letters).await?;
        assert_eq!(letters[0], letters[1]);
        assert!(page.text("entry-text").await?.contains("0xFFFF_F000"));
        assert!(page.text("entry-text").await?.contains("makes the directory a page"));
        Ok(())
    });
}

#[test]
fn the_keyboard_alone_is_enough() {
    in_page("", async |page| {
        let focused = "const at = document.activeElement; return at.dataset.entry ?? (at.id || at.textContent)";
        // From the top to the prompt, and from there to the directory.
        for _ in 0..12 {
            if page.ask(focused).await? == json!("line") {
                break;
            }
            page.keys(TAB).await?;
        }
        page.keys("alloc 4000_0000 4K\n").await?;
        page.keys("touch 4000_1000\n").await?;
        assert_eq!(page.text("step-name").await?, "2 of 2: touch 4000_1000");
        page.keys(TAB).await?;
        assert_eq!(page.ask(focused).await?, json!("256"));
        page.keys(DOWN).await?;
        page.keys(RIGHT).await?;
        page.keys("\n").await?;
        assert!(page.text("table-text").await?.starts_with("Entry 289,"), "{}", page.text("table-text").await?);
        // Undo by its keys, wherever one is.
        page.ask(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', \
                  { key: 'z', ctrlKey: true, bubbles: true, cancelable: true }))",
        )
        .await?;
        assert!(page.text("step-name").await?.starts_with("1 of 2"));
        Ok(())
    });
}

#[test]
fn whatever_can_be_reached_has_a_name_and_a_role() {
    in_page(ALLOCATED, async |page| {
        let nameless = "return [...document.querySelectorAll('button, input, [tabindex], [role=img], section, nav')].filter((part) => \
                        !(part.getAttribute('aria-label') || part.getAttribute('aria-labelledby') || part.labels?.length || \
                        part.textContent.trim())).map((part) => part.outerHTML)";
        assert_eq!(page.ask(nameless).await?, json!([]));
        let unknown = "return [...document.querySelectorAll('[tabindex]')].filter((part) => !part.role && part.tagName !== 'OL')\
                       .map((part) => part.outerHTML)";
        assert_eq!(page.ask(unknown).await?, json!([]));
        let ids = "const ids = [...document.querySelectorAll('[id]')].map((part) => part.id); return ids.length - new Set(ids).size";
        assert_eq!(page.ask(ids).await?, json!(0));
        Ok(())
    });
}

#[test]
fn accessibility_is_as_axe_demands_in_the_light_and_in_the_dark() {
    let engine =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../build/axe/node_modules/axe-core/axe.min.js"));
    let engine = engine.expect("scripts/check-explorer brings the engine");
    in_page(
        "#alloc%204000_0000%2064K;break%20flush;touch%204000_1000;free%204000_1000%20page;read%204000_1000",
        async |page| {
            page.press("walk to 0x4000_1000").await?;
            page.ask(&engine).await?;
            for scheme in ["light", "dark"] {
                page.ask(&format!("document.documentElement.style.colorScheme = '{scheme}'")).await?;
                let violations = "return axe.run().then(({ violations }) => violations.map(({ id, nodes }) => \
                              `${id}: ${nodes.map((node) => node.html).join(' ')}`))";
                assert_eq!(page.ask(violations).await?, json!([]), "{scheme}");
            }
            Ok(())
        },
    );
}

#[test]
fn nothing_hangs_over_from_a_telephone_to_a_wall() {
    in_page(ALLOCATED, async |page| {
        for width in [360, 800, 1400, 3840] {
            page.set_width(width).await?;
            let over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(page.ask(over).await?, json!(0), "{width} pixels");
        }
        Ok(())
    });
}

#[test]
fn a_figure_of_the_book_shows_its_parts_alone() {
    in_page("?parts=table,acts#alloc%204000_0000%208M;read%204040_0000", async |page| {
        let shown = "return [...document.querySelectorAll('section, header')].filter((part) => part.checkVisibility())\
                     .map((part) => part.getAttribute('aria-labelledby'))";
        assert_eq!(page.ask(shown).await?, json!(["table-title", "acts-title"]));
        // It is alive, and stays what it is.
        page.press("free 0x4040_0000 page").await?;
        assert!(page.text("acts").await?.contains("flush the page at 0x4040_0000"));
        page.press("Undo").await?;
        page.press("Undo").await?;
        page.press("Undo").await?;
        assert_eq!(page.ask("return location.search").await?, json!("?parts=table,acts"));
        Ok(())
    });
}

#[test]
fn a_recorded_run_is_played_from_its_first_fault_to_its_end() {
    in_recording("", async |page| {
        let count = "return [...document.querySelectorAll('#counts dd')].map((count) => count.textContent)";
        assert_eq!(page.text("step-name").await?, "0 of 258: the test begins");
        let free = page.ask(count).await?[0].as_str().and_then(|free| free.parse::<u32>().ok()).expect("a number");
        // A space is created, and its first touch takes a frame for the page and one for its table.
        page.press("Redo").await?;
        page.press("Redo").await?;
        assert_eq!(page.text("step-name").await?, "2 of 258: backed 0x0040_0000 by frame 0x403");
        assert_eq!(page.ask(count).await?[0], json!((free - 3).to_string()));
        page.open("#257").await?;
        assert_eq!(page.ask(count).await?[1], json!("256"));
        let backed = "return document.querySelectorAll('#table [data-kind=d]').length";
        assert_eq!(page.ask(backed).await?, json!(256));
        let uses = page.text("frame-uses").await?;
        assert!(uses.contains("page: 256") && !uses.contains("share"), "{uses}");
        page.press("walk to 0x004F_F000").await?;
        // At the end all was given back, and the console has its words.
        page.press("Redo").await?;
        assert_eq!(page.ask(count).await?[0], json!(free.to_string()));
        assert!(page.text("console").await?.contains("passed"));
        assert_eq!(page.ask("return document.getElementById('redo').disabled").await?, json!(true));
        // The TLB can't be seen from outside, and an empty one would be a lie.
        assert!(page.text("tlb-text").await?.starts_with("Not known of this machine"));
        let empty = "return document.querySelector('#tlb').checkVisibility()";
        assert_eq!(page.ask(empty).await?, json!(false));
        // Back to where it was, and what is for a live machine alone is not to be seen.
        page.press("Undo").await?;
        assert_eq!(page.ask(count).await?[1], json!("256"));
        assert_eq!(page.fragment().await?, "#257");
        let live = "return [...document.querySelectorAll('.live')].filter((part) => part.checkVisibility()).length";
        assert_eq!(page.ask(live).await?, json!(0));
        Ok(())
    });
}

#[test]
fn the_emulated_kernel_is_drawn_from_its_memory() {
    in_emulator(async |page| {
        // It is the whole one: it has done its main job.
        assert!(page.text("console").await?.contains("PASS: every figure is as expected"));
        page.line("alloc 4000_0000 64K").await?;
        page.line("touch 4000_1000 2").await?;
        assert_eq!(page.text_with("step-name", "2 of 2").await?, "2 of 2: touch 4000_1000 2");
        let changed = "return [...document.querySelectorAll('.changed')].map((cell) => cell.parentElement.parentElement.id + \
                       cell.dataset.entry + cell.textContent)";
        assert_eq!(page.ask(changed).await?, json!(["table1d", "table2d"]));
        assert!(page.text("pools").await?.contains("region of 16 pages, 2 backed"));
        assert!(page.text("events").await?.starts_with("backed 0x4000_2000"));
        page.line("frames").await?;
        page.text_with("step-name", "3 of 3").await?;
        let free = page.ask("return document.querySelector('#counts dd').textContent").await?;
        let free = format!("  . free: {}\n", free.as_str().unwrap_or_default());
        assert!(page.text("console").await?.contains(&free), "{free}");
        // What was is shown again, and what is typed then goes on from the last.
        page.press("Undo").await?;
        page.press("Undo").await?;
        assert!(page.text("pools").await?.contains("region of 16 pages, 0 backed"));
        page.line("touch 4000_0000").await?;
        page.text_with("step-name", "4 of 4").await?;
        assert!(page.text("console").await?.contains("region"), "the report of the refused touch");
        assert!(page.text("pools").await?.contains("region of 16 pages, 2 backed"));
        Ok(())
    });
}
