"""SWIM as its authors built it (Das, Gupta, Motivala; DSN 2002, sections 3 to 5), as settings.

One second stands for one protocol period where a recipe does not say
otherwise, so that times are read in periods.
"""

from __future__ import annotations

from gossipd.config.model import SwimConfig
from gossipd.value import replace

PAPER = "Das, Gupta, Motivala, SWIM, DSN 2002"
PART = "SWIM"

INFECTION = SwimConfig(
    probe_interval=1.0,
    probe_timeout=0.3,
    indirect_checks=1,
    stream_ping=False,
    suspicion_mult=3,
    awareness_max_multiplier=1,
    gossip_nodes=0,
    gossip_to_the_dead_time=1e9,
    retransmit_mult=3,
    push_pull_interval=0.0,
    suspicion=False,
    final_death=True,
    natural_log=True,
    lha_suspicion=False,
    buddy_system=False,
)
"""Round robin, news on pings and acks only, no suspicion (section 4.1; +Inf in section 5)."""

SUSPICION = replace(INFECTION, suspicion=True)
"""With suspicion (section 4.2; +Inf+Susp in section 5)."""

SYNCHRONOUS = replace(INFECTION, round_robin=False, probe_stagger=False)
"""Random targets and all members in step, as in the analysis (section 3.1)."""
