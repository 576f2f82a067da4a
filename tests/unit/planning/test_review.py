"""A review for a pull request: golden comments of real specs, what is cut, what a stranger cannot do."""

from __future__ import annotations

import re
from functools import cache

import pytest
from markdown_it import MarkdownIt

from lifecycle.model.records import Status
from lifecycle.planning.adoption import Consent
from lifecycle.planning.markdown import LIMIT, code, document
from lifecycle.planning.review import Review, broken, deleted, worst_first
from tests.builders import but
from tests.unit.planning.reviewing import (
    GOLDEN,
    HOSTILE,
    ON_SPOT,
    SPEC,
    STORIES,
    edited,
    proof,
    read,
    review,
    trains,
    written,
)


@pytest.mark.parametrize("name", STORIES)
def test_the_comment_reads_as_agreed(name: str) -> None:
    assert written(name) == (GOLDEN / f"{name}.md").read_text()


def test_there_is_no_golden_file_without_a_story() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(STORIES)


CODES = {"scale-in": 2, "emptied-pool": 6, "to-spot-unproven": 6, "to-spot-proven": 2, "budget": 6, "no-change": 0}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_the_exit_code_says_what_the_comment_does(name: str, code: int) -> None:
    assert STORIES[name]().exit_code(detailed=True) == code


def test_changes_are_no_fault_unless_that_was_asked() -> None:
    assert STORIES["scale-in"]().exit_code(detailed=False) == 0


def test_consent_takes_a_refusal_away() -> None:
    agreed = review(SPEC, edited(("nodes: 4", "nodes: 0")), Consent(allow_empty=True))
    assert agreed.objections == ()


# ---- why, and how much ---------------------------------------------------------------------------


def test_a_new_train_section_goes_on_from_the_save_and_names_its_field() -> None:
    text = document([review(SPEC, edited(("train.py]", "train.py, --lr, '0.2']")))])
    assert "then goes on from its save, because `train.command` changed (`specs/llm.yaml:13`)" in text


@pytest.mark.parametrize(
    ("edit", "then"),
    [
        ("run: second", "another run starts, because `train.run` changed"),
        ("resume: never\n      env: {A: b}", "starts from the beginning"),
        ("resume: manual\n      env: {A: b}", "waits for `steady start NODE --resume`"),
    ],
)
def test_what_does_not_go_on_from_its_save_is_not_said_to(edit: str, then: str) -> None:
    text = document([review(SPEC, edited(("workdir: /opt/train", f"workdir: /opt/train\n      {edit}")))])
    assert f", then {then}" in text


def test_a_pool_that_becomes_a_gang_starts_another_run() -> None:
    text = document([review(SPEC, edited(("nodes: 4", "nodes: 4\n    mode: gang")))])
    assert "then another run starts, because `mode` changed" in text


def test_what_was_wrong_before_is_folded_apart() -> None:
    seen = trains(read(SPEC))
    first, *others = seen.machines or ()
    found = review(SPEC, SPEC, machines=(but(first, image="ami-1"), *others))
    assert "Drift from before: 1, not caused by this change" in document([found])


def test_drift_that_the_change_causes_is_not_said_to_be_from_before() -> None:
    assert review(SPEC, edited(("ami-0abc", "ami-0def"))).drift == ()


FORCED = edited(("nodes: 4", "nodes: 4\n    stop: {grace: 90s, without_checkpoint: force}"))


def test_a_forced_stop_says_after_how_long() -> None:
    text = document([review(FORCED, FORCED.replace("[g5.2xlarge]", "[g6.2xlarge]"))])
    assert "saved first, stopped without a save after 90s" in text


def test_a_machine_that_leaves_is_stopped_as_it_was_ordered_not_as_its_pool_says_now() -> None:
    assert "without a save" not in document([review(SPEC, FORCED.replace("nodes: 4", "nodes: 2"))])


def test_the_worst_that_is_known_of_saving_is_told() -> None:
    both = SPEC + SPEC.partition("pools:\n")[2].replace("trainers", "others")
    found = review(both, both.replace("nodes: 4", "nodes: 3"), proofs=proof(read(both), "others"))
    assert found.proof is not None
    assert (found.proof.status, found.proof.pool) == (Status.UNKNOWN, "trainers")


def test_a_price_that_is_not_known_is_said_to_be_unknown() -> None:
    text = document(
        [
            review(
                SPEC.replace("g5.2xlarge", "x9.huge"),
                SPEC.replace("g5.2xlarge", "x9.huge").replace("nodes: 4", "nodes: 5"),
            )
        ]
    )
    assert "$?/h ($?/h → $?/h)" in text.splitlines()[0]


SECRETS = SPEC + "secrets: {KEY: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:a'}\n"


def test_a_secret_that_may_be_read_is_a_wider_permission() -> None:
    (gained,) = review(SPEC, SECRETS).widenings
    assert (gained.what, gained.place) == ("the nodes may read the secret", "specs/llm.yaml:16")


def test_a_secret_of_another_name_is_none() -> None:
    assert review(SECRETS, SECRETS.replace("KEY", "TOKEN")).widenings == ()


# ---- several files -------------------------------------------------------------------------------


def test_the_worst_comes_first() -> None:
    names = ("no-change", "scale-in", "emptied-pool")
    ranked = worst_first([*(STORIES[name]() for name in names), broken("b.yaml", ["b.yaml:1:1: no"])])
    assert [each.exit_code(detailed=True) for each in ranked] == [1, 6, 2, 0]


def test_unchanged_fleets_share_a_line() -> None:
    assert document([STORIES["no-change"]()] * 2) == "`llm-7b`, `llm-7b`: no changes"


def test_a_deleted_file_ends_nothing_and_says_what_would() -> None:
    text = document([deleted("specs/llm.yaml", read(SPEC).spec, SPEC)])
    assert "its spec file is deleted, and nothing is ended by that" in text.splitlines()[0]
    assert "`steady destroy specs/llm.yaml`" in text


def test_every_fault_of_a_broken_file_is_told() -> None:
    text = document([broken("specs/llm.yaml", ["specs/llm.yaml:7:11: no", "specs/llm.yaml:9:1: nor"])])
    assert "not applicable** · 2 errors" in text
    assert "- `specs/llm.yaml:7:11: no`\n- `specs/llm.yaml:9:1: nor`" in text


# ---- cut to size ---------------------------------------------------------------------------------


@cache
def huge() -> Review:
    """Two thousand nodes, each with a wait of its own, under a spec of which every line changes."""
    words = "".join(f"        W{number}: {'x' * 60}\n" for number in range(500))
    many = edited(("nodes: 4", "nodes: 2000"), ("      workdir", f"      env:\n{words}      workdir"))
    ending = tuple(but(machine, ending=True) for machine in trains(read(many)).machines or ())
    return review(many, many.replace("nodes: 2000", "nodes: 1900").replace("xxx", "yyy"), machines=ending)


def test_two_thousand_nodes_fit_one_comment() -> None:
    text = document([huge()])
    assert LIMIT - 2000 < len(text) <= LIMIT
    assert re.search(r"[0-9,]+ more lines were cut", text)


def test_the_least_important_is_cut_first() -> None:
    text = document([huge()], limit=20_000)
    diff, changed = text.partition("<summary>Diff")[2], text.partition("<summary>What the file changes")[2]
    assert diff.partition("</details>")[0].count("\n") < 10
    assert changed.count("`pools.trainers.train.env") > 100


def test_what_is_cut_leaves_the_rest_whole() -> None:
    text = document([huge()], limit=20_000)
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0


def test_many_reviews_share_the_room() -> None:
    text = document([huge(), STORIES["emptied-pool"](), huge()])
    assert len(text) <= LIMIT
    assert text.startswith("**`llm-7b`: refused")


# ---- strangers -----------------------------------------------------------------------------------


def outside_code(markdown: str) -> str:
    """What a reader's browser is given, without what stands in code."""
    html = MarkdownIt("commonmark").render(markdown)
    return re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)


@pytest.mark.parametrize("text", [HOSTILE, "`", "a`b", "``", "`` ` ```", "\u202eevil", "a\n\n# b", "", "x" * 999])
def test_a_code_span_holds_any_text(text: str) -> None:
    rest = outside_code(f"- {code(text)} end")
    assert re.sub(r"\s", "", rest) == "<ul><li>end</li></ul>"


@pytest.mark.parametrize("sign", ["<script", "@everyone", "<a ", "<!--"])
def test_a_strangers_text_never_leaves_its_code(sign: str) -> None:
    assert sign not in outside_code(written("hostile"))


def test_a_fence_in_the_diff_does_not_end_it() -> None:
    folded = outside_code(written("hostile"))
    assert folded.count("<details>") == folded.count("</details>") == 2


def test_a_path_is_quoted_for_the_shell() -> None:
    text = document([broken("a b'$(x).yaml", ["no"])])
    assert "`steady validate 'a b'\\''$(x).yaml'`" in text


def test_the_move_to_spot_is_told_beside_what_is_known_of_saving() -> None:
    text = document([review(SPEC, ON_SPOT)])
    assert "Moves to another market" in text
    assert "steady rehearse specs/llm.yaml" in text
