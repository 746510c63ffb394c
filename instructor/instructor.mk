# What an instructor makes.

.PHONY: handout grade grade-class gradescope mutants check-grading

INSTRUCTOR = scripts/cargo run --quiet --package instructor --

handout: ## Make the tree that students start from, build/handout [LAB=3: build/handout-lab-3, earlier labs solved, or as in FROM=dir]
	@$(INSTRUCTOR) handout $${LAB:+--lab "$$LAB"} $${FROM:+--from "$$FROM"}

# The instructor's program ends with status 1 if the submission did not earn everything, and with another one if grading
# itself has failed. Make cannot pass on which: so the first is a success, unless a script asks.
grade: ## Grade a submission, results in build/grades/NAME: SUBMISSION=dir or zip [LAB=3] [OVERLAY=dir] [RESULTS=dir] [STRICT=1]
	@[ -n "$$SUBMISSION" ] || { echo 'SUBMISSION=dir or zip says what is graded' >&2; exit 1; }
	@$(INSTRUCTOR) grade $${LAB:+--lab "$$LAB"} $${RESULTS:+--results "$$RESULTS"} $${OVERLAY:+--overlay "$$OVERLAY"} -- "$$SUBMISSION" || \
		{ [ $$? = 1 ] && [ -z "$$STRICT" ]; }

grade-class: ## Grade each folder and zip of a directory, or go on with it, results in build/classes/NAME: SUBMISSIONS=dir [LAB=3] [OVERLAY=dir] [RESULTS=dir]
	@[ -n "$$SUBMISSIONS" ] || { echo 'SUBMISSIONS=dir says where the submissions are' >&2; exit 1; }
	@$(INSTRUCTOR) grade-class $${LAB:+--lab "$$LAB"} $${RESULTS:+--results "$$RESULTS"} $${OVERLAY:+--overlay "$$OVERLAY"} -- "$$SUBMISSIONS"

gradescope: ## Pack an autograder for Gradescope, build/autograder.zip [LAB=3] [OVERLAY=dir: hidden tests]
	@$(INSTRUCTOR) gradescope $${LAB:+--lab "$$LAB"} $${OVERLAY:+--overlay "$$OVERLAY"}

mutants: ## Plant mistakes, one at a time, and demand that the grader catches each: [ONLY='words of names']
	@scripts/need qemu-system-i386 ld as nm awk
	@set -f; $(INSTRUCTOR) mutants $${ONLY:---table docs/src/mutants.md}

check-grading: mutants ## Check the grader by mistakes that it must catch, and grading by submissions of all kinds
	@scripts/cargo test --quiet --package instructor --test submissions --test labs --test class
