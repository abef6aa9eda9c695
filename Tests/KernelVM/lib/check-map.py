"""Checks what `vdpa-bench map` and `blk` have written: their JSON, one run a line, from standard input.

check-map.py PROFILE; a figure holds if it holds in one of the runs, a count of messages in all of them.
Ends with 'N passed, M failed'.
"""

import json
import sys

PAGE = 4096
EXTENT = 2 << 20

runs = [
    {row["case"]: row for row in json.loads(line)["results"]}
    for line in sys.stdin
    if line.startswith("{")
]
blk = [run for run in runs if "pool" in run]
runs = [run for run in runs if "carve-extents" in run]
if not runs:
    sys.exit("check-map: no run")
failed = passed = 0


def check(title, holds, figures):
    global failed, passed
    print("ok" if holds else "FAILED", title + ":", figures)
    passed, failed = passed + bool(holds), failed + (not holds)


def reached(title, figure, holds, form):
    figures = [figure(run) for run in runs]
    check(title, any(holds(f) for f in figures), ", ".join(form % f for f in figures))


def always(title, figure, holds, form):
    figures = [figure(run) for run in runs]
    check(title, all(holds(f) for f in figures), ", ".join(form % f for f in figures))


def goal(title, figure, holds, form):
    """Told, not judged: what the emulator's processor makes of the library's own work is not the
    library's; a gate below it sees to it that nothing gets worse unseen."""
    figures = [figure(run) for run in runs]
    verdict = "goal met" if any(holds(f) for f in figures) else "goal MISSED"
    print(f"{verdict}: {title}:", ", ".join(form % f for f in figures))


carve = runs[0]["carve-extents"]
check("10,000 regions are carved", carve["n"] == 10_000, carve["n"])
most = -(-carve["n"] * PAGE // EXTENT) + 2
always(f"carving takes at most {most} messages",
       lambda run: run["carve-extents"]["messages"], lambda count: 0 < count <= most, "%d")
always("freeing them is deferred, and takes no message",
       lambda run: run["unmap-extents"]["messages"], lambda count: count == 0, "%d")
always(f"unmapping takes at most one message for each extent, {most - 2}, BEGIN and END",
       lambda run: run["flush-extents"]["messages"], lambda count: 0 < count <= most, "%d")
always("coalesced registration needs at most 1/100 of the messages",
       lambda run: (run["map-coalesced"]["messages"], run["map-one-by-one"]["messages"]),
       lambda pair: 0 < 100 * pair[0] <= pair[1], "%d against %d")

if sys.argv[1] == "sim":
    reached("a batch costs at most 1/20 of the same maps one by one",
            lambda run: run["map-one-by-one"]["best_median_ns"] / run["map-batch"]["best_median_ns"],
            lambda times: times >= 20, "%.0f times")
    def cheaper(run):
        return 1 / run["carve-extents"]["ratio_to_one_by_one"]

    reached("a carved region costs at most 1/100 of one mapped by itself, population apart",
            cheaper, lambda times: times >= 100, "%.0f times")
    goal("a carved region costs at most 1/300 of one mapped by itself",
         cheaper, lambda times: times >= 300, "%.0f times")
    if len(blk) != 1:
        sys.exit("check-map: no run of blk")
    each, pool = blk[0]["map-each"], blk[0]["pool"]
    times = each["median_ns"] / pool["median_ns"]
    check("a map and an unmap around each request cost at least twice a pool's request",
          times >= 2, "%.1f times" % times)
    check("a pool's requests send no message", pool["messages"] == 0 and each["messages"] > 0,
          "%d against %d" % (pool["messages"], each["messages"]))
else:
    goal("carving 10,000 regions costs at most 1.20 of one large UPDATE by hand",
         lambda run: run["carve-extents"]["ratio_to_raw_update"],
         lambda ratio: ratio <= 1.20, "%.1f")
    reached("a carved region costs less than one mapped by itself, population apart",
            lambda run: 1 / run["carve-extents"]["ratio_to_one_by_one"],
            lambda times: times >= 3, "%.1f times")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
