"""What keeps work and money safe, each as the edit that takes it away and the tests that must fail then.

An edit is exact: its old text stands once in its file. `test_mutants` holds that, so the list cannot rot.
"""

from __future__ import annotations

from typing import NamedTuple

EXECUTE, ADOPTION = "lifecycle/control/execute.py", "lifecycle/planning/adoption.py"
PRESENCE, EMPTYING = "lifecycle/planning/presence.py", "lifecycle/planning/emptying.py"
SILENCE = "lifecycle/planning/silence.py"
SETTLE, MENDING = "lifecycle/planning/settle.py", "lifecycle/planning/mending.py"
GUARDS, RECEIPTS = "lifecycle/planning/guards.py", "lifecycle/planning/receipts.py"
FORMATS = "lifecycle/agent/formats.py"
PAPER = "tests/example_provider/paper.py"
TRACKER, COURIER = "lifecycle/tracker/controller.py", "lifecycle/agent/courier.py"


class Mutant(NamedTuple):
    """`edits` are (old, new) in `file`; `killers` are tests as FILE::NAME below tests/, of which one must fail."""

    guard: str
    file: str
    edits: tuple[tuple[str, str], ...]
    killers: tuple[str, ...]


def mutant(guard: str, file: str, old: str, new: str, *killers: str) -> Mutant:
    return Mutant(guard, file, ((old, new),), killers)


MUTANTS = (
    mutant(
        "a creation is claimed before it is made",
        EXECUTE,
        "        if step.claim is not None:\n",
        "        if step.claim is None:\n",
        "unit/control/test_execute.py::test_creation_claim_and_placement_are_written_before_the_machine_is_made",
    ),
    mutant(
        "an incarnation is claimed once",
        TRACKER,
        "self._table.put(fleet, rows.INCARNATION, name, encode(claim), expect=0, guard=guard)",
        "self._table.put(fleet, rows.INCARNATION, name, encode(claim), guard=guard)",
        "unit/tracker/test_controller.py::test_an_incarnation_is_claimed_once",
        "unit/control/test_execute.py::test_an_incarnation_that_was_claimed_before_is_not_made",
    ),
    mutant(
        "a used incarnation is refused to `pulumi up`",
        "lifecycle/control/guard.py",
        "if standing is not None and used(standing):",
        "if False:",
        "unit/control/test_guard.py::test_a_used_incarnation_is_never_made_again",
    ),
    mutant(
        "tags in the creating call, here",
        "lifecycle/adapters/local/provider.py",
        "tags={**tags.identity(self._state.owner, node, placement.incarnation), tags.NAME: placement.node},",
        "tags={},",
        "unit/adapters/test_provider.py::test_a_made_machine_carries_every_tag_of_its_identity",
    ),
    mutant(
        "tags in the creating call, on AWS",
        "stacks/machines.py",
        '        tags={"Name": placement.node, **ours},\n',
        "",
        "stacks/test_fleet.py",
    ),
    mutant(
        "an owner's machines are nobody else's",
        "lifecycle/model/tags.py",
        "tags.get(OWNER) == owner and ",
        "",
        "unit/model/test_tags.py::test_a_machine_of_another_owner_or_fleet_is_foreign",
        "contracts/test_provider.py::TestPaper::test_a_strangers_machine_is_not_listed_and_not_ended",
    ),
    mutant(
        "a machine of this computer proves to be ours before it is switched",
        "lifecycle/adapters/local/provider.py",
        "if record is None or not tags.owned(record.tags, self._state.owner, NodeName.parse(machine.node).fleet):",
        "if record is None:",
        "contracts/test_provider.py::TestLocal::test_a_strangers_machine_is_not_touched_whoever_says_it_is_ours",
    ),
    mutant(
        "no young machine is swept",
        "lifecycle/planning/strays.py",
        "if now - machine.launched_at < STRAY_AGE:",
        "if False:",
        "unit/planning/test_strays.py::test_a_young_machine_is_spared",
    ),
    mutant(
        "no young second machine is ended",
        PRESENCE,
        '    if view.now < due:\n        return wait(view, f"a second machine',
        '    if False:\n        return wait(view, f"a second machine',
        "unit/planning/test_presence.py::test_a_young_second_machine_is_left_alone",
    ),
    mutant(
        "nothing is swept without a creation claim of ours",
        "lifecycle/planning/strays.py",
        "if (machine.node, machine.incarnation) not in observed.incarnations:",
        "if False:",
        "unit/planning/test_strays.py::test_without_a_creation_claim_it_is_not_proven_ours",
    ),
    mutant(
        "the fence is asked before a call that carries none",
        TRACKER,
        "if (row.version if row else 0) != guard.version:",
        "if False:",
        "unit/control/test_execute.py::test_an_overtaken_controller_switches_and_ends_nothing",
    ),
    mutant(
        "every write of a tick carries the fence",
        "lifecycle/adapters/local/table.py",
        "if guard is not None and self._version(connection, fleet, guard.kind, guard.name) != guard.version:",
        "if False:",
        "unit/tracker/test_controller.py::test_no_write_of_an_overtaken_controller_goes_through",
    ),
    mutant(
        "a lease is taken by one at a time",
        "lifecycle/tracker/lease.py",
        "if not self._takeable(",
        "if False and not self._takeable(",
        "unit/tracker/test_lease.py::test_a_lease_is_held_by_one_at_a_time",
    ),
    mutant(
        "the spec of record is looked at again before machines change",
        EXECUTE,
        "if record is None or record.generation != plan.generation:",
        "if record is None:",
        "unit/control/test_execute.py::test_a_spec_applied_during_the_tick_stops_it_before_a_machine_changes",
    ),
    mutant(
        "an epoch is given out once",
        TRACKER,
        "self._table.put(fleet, rows.ATTEMPT, name, encode(attempt), expect=0, guard=guard)",
        "self._table.put(fleet, rows.ATTEMPT, name, encode(attempt), guard=guard)",
        "unit/tracker/test_controller.py::test_a_repeat_returns_the_attempt_that_stands_and_changes_nothing",
    ),
    mutant(
        "a conditional write expects what was read",
        "lifecycle/adapters/aws/objects.py",
        '                    IfNoneMatch="*",\n',
        "",
        "contracts/test_s3_store.py::TestS3Store::test_a_new_object_never_replaces_one",
    ),
    Mutant(
        "the list is read before our records",
        "lifecycle/control/observe.py",
        (
            (
                "    machines: tuple[Machine, ...] | None = None\n",
                "    seen = tracker.observe(fleet)\n    machines = None\n",
            ),
            (
                "        unreadable = error.what\n    seen = tracker.observe(fleet)\n",
                "        unreadable = error.what\n",
            ),
        ),
        ("unit/control/test_observe.py::test_a_machine_made_while_we_look_is_never_seen_without_its_record",),
    ),
    mutant(
        "what cannot be listed is unknown, not empty",
        "lifecycle/control/observe.py",
        "        unreadable = error.what\n",
        "        machines, unreadable = (), error.what\n",
        "unit/control/test_observe.py::test_a_provider_that_cannot_be_read_leaves_the_machines_unknown",
        "unit/control/test_loop.py::test_an_unreadable_provider_is_waited_for_and_nothing_is_done",
    ),
    mutant(
        "on half a view nothing is settled",
        SETTLE,
        "    if observed.machines is None:\n        return Facts()\n",
        "",
        "unit/planning/test_settle.py::test_machines_that_could_not_be_read_settle_nothing",
    ),
    mutant(
        "a silent agent has a second witness before its machine is replaced",
        SILENCE,
        "    if machine.impaired:",
        "    if view.report is not None:",
        "unit/planning/test_presence.py::test_a_silent_agent_is_waited_for_and_nothing_else",
    ),
    mutant(
        "a failed check alone replaces nothing",
        SILENCE,
        " <= SILENT_AFTER:",
        " < 0.0:",
        "unit/planning/test_presence.py::test_a_failed_status_check_alone_replaces_nothing",
    ),
    mutant(
        "no second machine while an attempt is open",
        PRESENCE,
        "if last is not None and last.open and ",
        "if last is not None and not last.open and ",
        "unit/planning/test_presence.py"
        "::test_a_machine_missing_from_the_list_is_not_made_again_before_its_attempt_is_known_as_ended",
    ),
    mutant(
        "after a lost answer the machine is looked for first",
        MENDING,
        "    if made or view.now >= due:\n",
        "    if True:\n",
        "unit/planning/test_mending.py::test_a_creation_without_an_answer_is_looked_for_before_it_is_tried_again",
    ),
    mutant(
        "only the answer to this drain lets a machine go",
        EMPTYING,
        "if drained is None or drained.drain not in {drain_id(view, purpose), _claimed(view)}:",
        "if drained is None:",
        "unit/planning/test_emptying.py::test_the_answer_to_another_drain_does_not_pass",
    ),
    mutant(
        "a trainer that could not save is not ended",
        EMPTYING,
        "if drained.outcome is not DrainOutcome.REFUSED:\n",
        "if True:\n",
        "unit/planning/test_emptying.py::test_a_refused_drain_is_refused_and_names_its_override",
    ),
    mutant(
        "a drain of somebody else is respected",
        TRACKER,
        "if another and standing.expires_at > claim.asked_at:",
        "if False:",
        "unit/tracker/test_controller.py::test_the_live_claim_of_another_is_respected",
    ),
    mutant(
        "repairs are few at a time",
        GUARDS,
        "allowed = max(1, int(nodes * BLAST_SHARE))",
        "allowed = nodes",
        "unit/planning/test_guards.py::test_a_tenth_of_the_nodes_is_repaired_at_a_time_and_at_least_one",
    ),
    mutant(
        "a suspended fleet is not touched",
        GUARDS,
        "    if hold is None:\n        return plan\n",
        "    if hold is None or plan.actions:\n        return plan\n",
        "unit/planning/test_guards.py::test_a_suspended_fleet_is_not_touched",
    ),
    mutant(
        "a pool is emptied only when that was said",
        ADOPTION,
        "if emptied and not consent.allow_empty:",
        "if False:",
        "unit/control/test_operator.py::test_an_emptied_pool_is_refused_and_nothing_written",
    ),
    mutant(
        "a fleet of another file is refused",
        ADOPTION,
        "if standing.source != record.source and not consent.take_over:",
        "if False:",
        "unit/control/test_operator.py::test_a_fleet_of_another_file_is_refused_and_nothing_written",
    ),
    mutant(
        "only the expected account is touched",
        "lifecycle/adapters/aws/session.py",
        "if self._expected not in (None, found):",
        "if False:",
        "unit/adapters/test_aws_session.py::test_no_client_is_made_for_another_account",
    ),
    mutant(
        "receipts of an older epoch that come late are history",
        RECEIPTS,
        "    return receipt.digest in attempt.earlier\n",
        "    return True\n",
        "unit/planning/test_receipts.py::test_a_receipt_of_an_older_epoch_that_came_late_is_history",
    ),
    mutant(
        "two checkpoints are kept at least",
        RECEIPTS,
        "receipts[: max(2, keep)]",
        "receipts[:keep]",
        "unit/planning/test_receipts.py::test_never_fewer_than_two_are_kept",
    ),
    mutant(
        "a report is heard of the machine that wrote it",
        TRACKER,
        'if row.writer in ("", report.instance):',
        "if True:",
        "unit/control/test_cloud_ticks.py",
        "contracts/test_dynamo_table.py",
    ),
    mutant(
        "a restored file has its digest",
        COURIER,
        "if (written.size, written.sha256) != (file.size, file.sha256):",
        "if written.size != file.size:",
        "unit/agent/test_courier.py::test_the_next_older_receipt_is_taken_when_the_newest_is_unsound",
    ),
    mutant(
        "a manifest is the one of its receipt",
        "lifecycle/agent/manifest.py",
        "if hashlib.sha256(data).hexdigest() != digest:",
        "if False:",
        "unit/agent/test_courier.py::test_the_next_older_receipt_is_taken_when_the_newest_is_unsound",
    ),
    Mutant(
        "the manifest comes last",
        COURIER,
        (
            (
                "        digest = self._store.put_file(_object(prefix, path), file, self._moved)\n"
                "        return StoredFile(path=path, size=digest.size, sha256=digest.sha256)\n",
                "        return StoredFile(path=path, size=file.stat().st_size, sha256=_digest(file))\n",
            ),
            (
                '        seal(self._store, f"{prefix}/manifest.json", data)\n',
                '        seal(self._store, f"{prefix}/manifest.json", data)\n'
                "        for path, file in files_of(job.directory / job.checkpoint.name):\n"
                '            self._store.put_file(_object(f"{prefix}/files", path), file, self._moved)\n',
            ),
        ),
        ("unit/agent/test_courier.py::test_the_manifest_comes_last",),
    ),
    mutant(
        "a checkpoint that changes while it is read does not count",
        COURIER,
        "if fingerprint(source) != before:",
        "if False:",
        "unit/agent/test_courier.py::test_a_checkpoint_that_changed_leaves_no_manifest",
    ),
    mutant(
        "what is not renamed yet is never looked at",
        "lifecycle/agent/rundir.py",
        """if match is None or match["suffixes"].lower().endswith((".tmp", ".part", ".incomplete")):""",
        "if match is None:",
        "unit/agent/test_rundir.py::test_hidden_and_unfinished_entries_are_never_looked_at",
        "unit/agent/test_rundir.py::test_the_step_in_a_name",
    ),
    mutant(
        "hidden names are never looked at",
        "lifecycle/agent/rundir.py",
        'if plain and not entry.name.startswith("."):',
        "if plain:",
        "unit/agent/test_rundir.py::test_hidden_and_unfinished_entries_are_never_looked_at",
    ),
    mutant(
        "what was there before proves no save",
        "lifecycle/planning/drain.py",
        "return not earlier and (found.name, found.signature) not in ask.baseline",
        "return not earlier",
        "unit/planning/test_drain.py::test_a_checkpoint_that_was_there_before_proves_nothing",
    ),
    mutant(
        "nobody is killed under a provider's deadline",
        "lifecycle/planning/drain.py",
        "    if ask.demand.deadline is not None:\n        return Move.WAIT\n",
        "",
        "unit/planning/test_drain.py::test_under_a_provider_deadline_nobody_is_killed",
    ),
    mutant(
        "a spot machine is not stopped",
        "lifecycle/adapters/aws/compute.py",
        "        if found.market is Market.SPOT:\n",
        "        if False:\n",
        "contracts/test_provider.py::TestAws::test_a_spot_machine_refuses_to_be_stopped",
    ),
    mutant(
        "the tracker is the witness of who a machine is",
        "lifecycle/planning/witness.py",
        "return tuple(_recognised(machine, made, claims) for machine in machines)",
        "return tuple(machines)",
        "unit/planning/test_witness.py",
    ),
    mutant(
        "what is put back again and again is left alone",
        "lifecycle/planning/corrections.py",
        "len(_lately(correction, now)) >= OFTEN",
        "len(_lately(correction, now)) > OFTEN",
        "unit/planning/test_contest.py::test_what_was_put_back_three_times_is_left_alone",
    ),
    mutant(
        "what a list still shows of the time before is not put back once more",
        "lifecycle/planning/presence.py",
        'if due is not None:\n            return wait(view, "the list',
        'if due is None and False:\n            return wait(view, "the list',
        "unit/control/test_drift_ticks.py::test_a_list_that_is_behind_is_no_fight",
    ),
    mutant(
        "a run is written with its attempt",
        "lifecycle/tracker/controller.py",
        "encode(run), guard=guard, beside=beside)",
        "encode(run), guard=guard)",
        "unit/tracker/test_controller.py::test_a_run_is_written_with_the_attempt_it_is_in",
    ),
    mutant(
        "what an agent said before its machine was started again says nothing of now",
        "lifecycle/planning/settle.py",
        "if again or (machine is not None",
        "if (machine is not None",
        "unit/planning/test_settle.py",
    ),
    mutant(
        "an attempt nobody was ordered to start is closed for every rank",
        "lifecycle/planning/unordered.py",
        "if rank.outcome is None else rank",
        "if rank.outcome is not None else rank",
        "unit/planning/test_unordered.py",
    ),
    mutant(
        "what trains although its machine seemed gone is ended before the next attempt",
        "lifecycle/planning/planner.py",
        "    ranks.outlived,\n    training.taken_for_ended,\n",
        "",
        "unit/planning/test_ranks.py::test_a_rank_that_trains_on_alone_is_told_to_stop_in_place",
        "unit/planning/test_training.py",
    ),
    mutant(
        "a hook has one op id for what it is run for",
        "lifecycle/planning/hooks.py",
        'op_id=f"{point}-{index}-{mark}",',
        'op_id=f"{point}-{index}-" + __import__("uuid").uuid4().hex,',
        "unit/agent/test_hooks.py::test_the_drain_is_answered_when_its_hooks_are_over",
    ),
    mutant(
        "where post_start failed nothing starts",
        "lifecycle/planning/blocking.py",
        "if failed is None or view.pool is None:",
        "if True:",
        "unit/planning/test_blocking.py::test_where_post_start_failed_nothing_starts",
    ),
    mutant(
        "no machine is made beyond a budget per hour",
        "lifecycle/planning/budget.py",
        "if after is None or after > account.limit + _PENNY:",
        "if after is None:",
        "unit/planning/test_budget.py::test_of_the_nodes_of_a_pool_so_many_are_made_as_it_can_pay",
    ),
    mutant(
        "a price that is not known passes no budget per hour",
        "lifecycle/planning/budget.py",
        "if after is None or after > account.limit + _PENNY:",
        "if after is not None and after > account.limit + _PENNY:",
        "unit/planning/test_budget.py::test_a_price_that_is_not_known_is_refused_under_a_budget_per_hour",
    ),
    mutant(
        "without money nothing starts",
        "lifecycle/planning/budget.py",
        "if account is None or not account.exhausted:",
        "if True:",
        "unit/planning/test_budget.py::test_nothing_starts_without_money_and_the_refusal_says_how_to_go_on",
    ),
    mutant(
        "the contract sees a list that is empty where it is unreadable",
        PAPER,
        'raise Unreadable(f"a sheet cannot be read: {error}", fix=f"look into {self._folder}") from None',
        "found = []",
        "contracts/test_provider.py::TestPaper::test_what_cannot_be_listed_is_unreadable_and_never_an_empty_list",
    ),
    mutant(
        "the contract sees an incarnation that is made twice",
        PAPER,
        "os.link(beside, self._path(placement.node, number))",
        "os.link(beside, self._folder / machine.id)",
        "contracts/test_provider.py::TestPaper::test_one_incarnation_is_one_machine_however_often_it_is_asked_for",
    ),
    mutant(
        "the contract sees a tag that is missing",
        PAPER,
        "tags={**tags.of_fleet(self._owner(), node.fleet), **tags.worn(node, number)},",
        "tags=tags.identity(self._owner(), node, number),",
        "contracts/test_provider.py::TestPaper::test_it_carries_every_tag_the_first_time_that_it_is_seen",
    ),
    mutant(
        "the contract sees a spot machine that is stopped",
        PAPER,
        "if (now := self._now(machine)).market is Market.SPOT:",
        "if (now := self._now(machine)).market is None:",
        "contracts/test_provider.py::TestPaper::test_a_spot_machine_refuses_to_be_stopped",
    ),
    mutant(
        "an older text of a spec is not applied by mistake",
        ADOPTION,
        "if record.digest in standing.earlier and not consent.rollback:",
        "if False:",
        "unit/planning/test_adoption.py::test_a_refusal_says_why_and_names_the_option_that_overrides_it",
    ),
    mutant(
        "a trainer that was never seen to save does not move to spot",
        ADOPTION,
        "if unproven and not consent.accept_unproven:",
        "if False:",
        "unit/planning/test_adoption.py::test_a_refusal_says_why_and_names_the_option_that_overrides_it",
    ),
    mutant(
        "a list that lacks most machines is not believed",
        "lifecycle/planning/witness.py",
        "if len(known) < 2 or 2 * len(missing) <= len(known) or not spoke:",
        "if True:",
        "unit/planning/test_witness.py"
        "::test_a_list_that_lacks_most_machines_while_their_agents_speak_is_not_believed",
    ),
    mutant(
        "a clock that went back decides nothing",
        "lifecycle/planning/witness.py",
        "if last is None or now >= last.at - SILENT_AFTER:",
        "if True:",
        "unit/planning/test_witness.py::test_a_clock_that_went_back_is_told_with_whose_it_was",
    ),
    mutant(
        "a silence is proven by two looks",
        "lifecycle/planning/hearing.py",
        "return quiet is not None and now - quiet.since >= LOOKS_APART",
        "return True",
        "unit/planning/test_hearing.py::test_a_silence_that_only_one_look_shows_ends_nothing",
    ),
    mutant(
        "machines are not made again and again",
        "lifecycle/planning/breaker.py",
        "if _makes(action) and made >= limit:",
        "if False:",
        "unit/planning/test_breaker.py::test_at_the_limit_no_more_are_made_and_the_way_out_is_named",
    ),
    mutant(
        "a gang's checkpoint is whole when every rank's part is there",
        COURIER,
        "if len(present) < job.count:",
        "if False:",
        "contracts/test_wholes.py::test_a_part_alone_is_no_checkpoint",
    ),
    mutant(
        "a gang's attempt is over when every rank has ended",
        "lifecycle/planning/gangs.py",
        "return all(rank.outcome is not None for rank in attempt.members)",
        "return any(rank.outcome is not None for rank in attempt.members)",
        "unit/planning/test_gangs.py::test_an_attempt_lasts_until_every_rank_has_ended",
    ),
    mutant(
        "a gang does not go on with another number of ranks",
        "lifecycle/planning/guards.py",
        "return same_run and before.nodes != after.nodes and 0 not in (before.nodes, after.nodes)",
        "return False",
        "unit/planning/test_guards.py::test_only_a_gang_that_goes_on_with_other_ranks_is_resized",
    ),
    mutant(
        "what was written before an ask proves no save",
        "lifecycle/planning/drain.py",
        "return not earlier and (found.name, found.signature) not in ask.baseline",
        "return (found.name, found.signature) not in ask.baseline",
        "unit/planning/test_drain.py::test_what_was_written_before_the_ask_proves_nothing_though_it_counts_only_now",
    ),
    mutant(
        "a trainer's launcher is never signalled",
        "lifecycle/system/processes.py",
        "return program in _LAUNCHERS or",
        "return",
        "unit/system/test_processes.py::test_a_launcher_is_never_a_rank_but_what_it_launched_is",
        "unit/system/test_processes.py::test_a_module_that_launches_is_a_launcher_too",
    ),
    mutant(
        "a trainer's ranks are signalled together",
        "lifecycle/agent/supervisor.py",
        "if None in wanted.values() and not some:",
        "if False:",
        "unit/agent/test_supervisor.py::test_while_a_rank_catches_nothing_none_is_signalled",
    ),
    mutant(
        "a trainer that signals its ranks is signalled alone",
        "lifecycle/system/processes.py",
        "return _starter(found) or found or _alone(root)",
        "return [*_starter(found), *found] or _alone(root)",
        "unit/system/test_processes.py::test_who_started_the_other_ranks_by_itself_is_asked_alone",
    ),
    mutant(
        "a trainer writes in place, and what it writes is not complete yet",
        FORMATS,
        "if look.read or (now - look.since < REST and writing()):",
        "if look.read:",
        "unit/agent/test_formats.py::test_what_was_written_just_now_is_not_complete_yet",
    ),
    mutant(
        "a trainer's torn file is no checkpoint",
        FORMATS,
        "not all(_to_its_end(file) for _, file in files)",
        "False",
        "unit/agent/test_formats.py::test_a_file_written_in_place_is_complete_to_its_end",
    ),
    mutant(
        "a trainer's marker of an unfinished save counts",
        FORMATS,
        "INCOMPLETE in names",
        "False",
        "unit/agent/test_formats.py::test_one_with_the_marker_of_an_unfinished_save_is_not_complete",
    ),
    mutant(
        "a trainer's sharded checkpoint has its metadata",
        FORMATS,
        """and ".metadata" not in names""",
        "and False",
        "unit/agent/test_formats.py::test_a_sharded_one_without_its_metadata_is_not",
    ),
    mutant(
        "a trainer finds no wreck to resume from",
        "lifecycle/agent/supervisor.py",
        "self.discard(assignment, wrecks(assignment.profile, directory))",
        "pass",
        "unit/agent/test_supervisor.py::test_a_prepared_run_has_no_wreck_that_its_trainer_would_resume_from",
    ),
    mutant(
        "a trainer that has just begun is asked again",
        "lifecycle/agent/attempt.py",
        "if self._trainer.signal_ranks(assignment, some=now >= ask.asked_at + drain.SIGNAL_SOME_AFTER):",
        "if self._trainer.signal_ranks(assignment, some=now >= ask.asked_at + drain.SIGNAL_SOME_AFTER) or True:",
        "unit/agent/test_attempt.py::test_ranks_that_are_not_ready_for_a_signal_are_waited_for",
    ),
)
