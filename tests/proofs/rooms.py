"""The proof of the rooms: `python -m tests.proofs.rooms` (LINE, SHARE and RESUME from the environment)."""

from tests.proofs.harness import Line, prove
from tests.proofs.rooms_lines import line_1_tasks, line_2_states, line_3_first_answer

LINES = (
    Line(1, "A person's tasks in a real browser, whatever fails meanwhile", line_1_tasks.run, 20),
    Line(2, "Every state at every width and theme", line_2_states.run, 30),
    Line(3, "From the README to the first answer", line_3_first_answer.run, 30),
)

if __name__ == "__main__":
    raise SystemExit(prove("rooms", "The proof of the rooms", LINES))
